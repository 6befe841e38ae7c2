import type { Environment } from '../config.ts';
import { terminalOf, type Terminal } from './terminal.ts';

/** Results go to stdout, everything else to stderr. */
export interface Output {
  /** One JSON document, on one line. */
  json(value: unknown): void;
  /** A line of the result, for people. */
  line(text?: string): void;
  /** As {@link line}, for text that has colours of ours in it. */
  screen(text: string): void;
  /** A program's text, such as a shell's, as it stands: never anything from outside. */
  script(text: string): void;
  /** A line beside the result; not with `--quiet`. */
  note(text: string): void;
  /** What went wrong, on stderr. */
  error(text: string): void;
  /** What is known of where the result goes. */
  terminal: Terminal;
  /** The same of where everything else goes; `undefined` where nothing is to be drawn there: no terminal, or `--quiet`. */
  canvas: Terminal | undefined;
}

export interface OutputOptions {
  env?: Environment;
  quiet?: boolean;
}

export function createOutput(
  streams: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream },
  { env = {}, quiet = false }: OutputOptions = {},
): Output {
  const beside = terminalOf(streams.stderr, env);
  const error = (text: string) => void streams.stderr.write(`${printable(text)}\n`);
  return {
    json: (value) => void streams.stdout.write(`${printable(JSON.stringify(value))}\n`),
    line: (text = '') => void streams.stdout.write(`${printable(text)}\n`),
    screen: (text) => void streams.stdout.write(`${coloured(text)}\n`),
    script: (text) => void streams.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    note: quiet ? () => {} : error,
    error,
    terminal: terminalOf(streams.stdout, env),
    canvas: beside.isTerminal && !quiet && env['TERM'] !== 'dumb' ? beside : undefined,
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

/** A sequence that sets colours and the like. https://ecma-international.org/publications-and-standards/standards/ecma-48 */
const COLOUR = new RegExp(`(${String.fromCharCode(0x1b)}\\[[0-9;]*m)`);

/** As {@link printable}, but colours stay: should a value from outside slip past, it can do no more than look odd. */
export function coloured(text: string): string {
  return text
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join('');
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

export function toText(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll('\n', ' ') : JSON.stringify(value);
}
