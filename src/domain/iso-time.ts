const ISO_TIME = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/**
 * @param text an ISO 8601 date, or date and time; a time without an offset is local, as for `Date.parse`
 * @returns milliseconds since 1970, NaN for any other text. `Date.parse` alone would read 31 February as 3 March
 */
export function parseIsoTime(text: string): number {
  const date = ISO_TIME.exec(text)?.[1];
  if (date === undefined) return Number.NaN;
  const midnight = Date.parse(date);
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(date);
  return isDay ? Date.parse(text) : Number.NaN;
}
