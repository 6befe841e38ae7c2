import type { Environment } from '../../config/settings.ts';
import { StandardStream } from '../../process/standard-stream.ts';
import { EXIT_CODES } from '../errors/exit-codes.ts';
import { withoutSecrets } from './secrets.ts';
import { terminalOf } from './terminal.ts';

export type Output = ReturnType<typeof createOutput>;

/** The reader of the result takes no more, such as `head`. */
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
    /** The same, for text that has colours of ours in it. */
    screen: (text: string) => stdout.write(`${coloured(text)}\n`),
    /** A program's text, such as a shell's, as it stands: never anything from outside. */
    script: (text: string) => stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    /** A line beside the result; not with `--quiet`. */
    note: quiet ? () => {} : error,
    /** What went wrong, on stderr. */
    error,
    /**
     * Resolves once its reader has taken enough for more to be printed: what prints much waits for it, so that a slow reader does
     * not fill the memory.
     *
     * @throws ReaderGone if nobody reads the result any more, so that what only prints can stop
     */
    drained: async () => {
      await Promise.all([stdout.drained(), stderr.drained()]);
      if (stdout.isReaderGone) throw new ReaderGone();
    },
    /** Sees all that was printed to its end. @returns the exit code, which is not 0 if the result could not be written */
    finished: async (exitCode: number): Promise<number> => {
      await stdout.settled();
      const { failure } = stdout;
      if (failure !== undefined) error(`role-build: the result can't be written: ${failure.message}`);
      await stderr.settled();
      return failure === undefined ? exitCode : exitCode || EXIT_CODES.unreachable.code;
    },
    /** A credential that was given: it is taken out of what `withoutSecrets` returns. */
    secret: (value: unknown) => void (typeof value === 'string' && secrets.add(value)),
    /** For text that may hold anything, such as the stack of an error. */
    withoutSecrets: (text: string) => withoutSecrets(text, env, secrets),
    /** What is known of where the result goes. */
    terminal: terminalOf(streams.stdout, env),
    /** The same for everything else; `undefined` if nothing is to be drawn there: no terminal, or `--quiet`. */
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
