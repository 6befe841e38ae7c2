import type { Environment } from '../../config/settings.ts';
import { StandardStream } from '../../process/standard-stream.ts';
import { EXIT_CODES } from '../errors/exit-codes.ts';
import { withoutSecrets } from './secrets.ts';
import { terminalOf } from './terminal.ts';

export type Output = ReturnType<typeof createOutput>;

/** The reader of the result, such as `head`, has stopped reading. */
export class ReaderGone extends Error {
  override name = 'ReaderGone';
}

/** Results go to stdout, everything else to stderr. */
export function createOutput(
  streams: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream },
  { env = {}, quiet = false }: { env?: Environment; quiet?: boolean } = {},
) {
  const stdout = new StandardStream(streams.stdout);
  const stderr = new StandardStream(streams.stderr);
  const secrets = new Set<string>();
  const beside = terminalOf(streams.stderr, env);
  const error = (text: string) => stderr.write(`${printable(text)}\n`);
  return {
    /** One JSON document, on one line. */
    json: (value: unknown) => stdout.write(`${printable(JSON.stringify(value))}\n`),
    /** A line of the result, for people. */
    line: (text = '') => stdout.write(`${printable(text)}\n`),
    /** A screen of the result, with our own colours. */
    screen: (text: string) => stdout.write(`${coloured(text)}\n`),
    /** Prints a program's text, such as a shell's, unchanged. Must contain nothing from outside. */
    script: (text: string) => stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    /** A line beside the result, not printed with `--quiet`. */
    note: quiet ? () => {} : error,
    error,
    /**
     * Resolves once the reader has taken enough for more to be printed. What prints much has to wait for it, because a
     * slow reader would otherwise fill the memory.
     *
     * @throws ReaderGone if nobody reads the result any more, so that a command that only prints can stop
     */
    drained: async () => {
      await Promise.all([stdout.drained(), stderr.drained()]);
      if (stdout.isReaderGone) throw new ReaderGone();
    },
    /** Waits until all output is written. @returns the exit code, which is not 0 if the result could not be written */
    finished: async (exitCode: number): Promise<number> => {
      await stdout.settled();
      const { failure } = stdout;
      if (failure !== undefined) error(`role-build: the result can't be written: ${failure.message}`);
      await stderr.settled();
      return failure === undefined ? exitCode : exitCode || EXIT_CODES.unreachable.code;
    },
    /** Registers a credential, which `withoutSecrets` then removes. */
    secret: (value: unknown) => void (typeof value === 'string' && secrets.add(value)),
    /** Removes secrets from a text that may contain anything, such as an error's stack. */
    withoutSecrets: (text: string) => withoutSecrets(text, env, secrets),
    /** The terminal that the result goes to. */
    terminal: terminalOf(streams.stdout, env),
    /** The terminal on stderr; `undefined` if nothing may be drawn there: no terminal, or `--quiet`. */
    canvas: beside.isTerminal && !quiet && env['TERM'] !== 'dumb' ? beside : undefined,
  };
}

/**
 * Escapes control characters except newlines, so that no record or answer can control the terminal. JSON stays
 * equivalent, because it can have them only in its strings.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A sequence that sets colours. https://ecma-international.org/publications-and-standards/standards/ecma-48 */
const COLOUR = new RegExp(`(${String.fromCharCode(0x1b)}\\[[0-9;]*m)`);

/** Like {@link printable}, but keeps colours. A value from outside that slipped in could only look odd. */
export function coloured(text: string): string {
  return text
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join('');
}

/** Like {@link printable}, but also escapes newlines. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\u000a');
}

/** Formats names and values in aligned lines, without those that are `undefined`. */
export function fields(values: Record<string, unknown>): string {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${name.padEnd(width)}  ${toText(value)}`).join('\n');
}

export function toText(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll('\n', ' ') : JSON.stringify(value);
}
