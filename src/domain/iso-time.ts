const ISO_TIME = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/**
 * @param text an ISO 8601 date, or a date and a time; without an offset, a time is local, as `Date.parse` has it
 * @returns milliseconds since 1970, NaN for what is no such time. `Date.parse` alone would take 31 February for 3 March
 */
export function parseIsoTime(text: string): number {
  const date = ISO_TIME.exec(text)?.[1];
  if (date === undefined) return Number.NaN;
  const midnight = Date.parse(date);
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(date);
  return isDay ? Date.parse(text) : Number.NaN;
}
