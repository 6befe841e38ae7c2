/** Results go to stdout, everything else to stderr. */
export interface Output {
  /** One JSON document, on one line. */
  json(value: unknown): void;
  /** A line of the result, for people. */
  line(text?: string): void;
  /** A line beside the result. */
  note(text: string): void;
}

export function createOutput(streams: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream }): Output {
  return {
    json: (value) => void streams.stdout.write(`${printable(JSON.stringify(value))}\n`),
    line: (text = '') => void streams.stdout.write(`${printable(text)}\n`),
    note: (text) => void streams.stderr.write(`${printable(text)}\n`),
  };
}

/**
 * Control characters shown rather than obeyed, so that no record or answer can drive the terminal; newlines stay. JSON stays
 * the same JSON: it has such characters in its strings alone.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As {@link printable}, for text that must not begin a line of its own. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\u000a');
}

/** Names and values, one a line, aligned; without those that are `undefined`. */
export function fields(values: Record<string, unknown>): string {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${name.padEnd(width)}  ${toText(value)}`).join('\n');
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll('\n', ' ') : JSON.stringify(value);
}
