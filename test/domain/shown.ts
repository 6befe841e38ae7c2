/** Formats a value for the name of a test. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'no value';
  return text.length > 60 ? `${text.slice(0, 40)}… (${text.length})` : text;
}
