/** Reads the text of a file or of stdin. */
import { constants, createReadStream, fstatSync, openSync, type BigIntStats } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { getSystemErrorMessage } from 'node:util';
import { NotUtf8Error, utf8Text } from '../../process/utf8.ts';
import { CliError } from '../errors/cli-error.ts';

/** Ten times the longest input, because it may be indented. The limit also ends the reading of an endless device. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * @param file `-` is stdin
 * @param what names it in messages, such as `the input`
 * @throws CliError `usage` if it can't be read, or is not UTF-8
 */
export async function readText(file: string, stdin: NodeJS.ReadableStream, what: string): Promise<string> {
  const name = file === '-' ? 'stdin' : file;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of file === '-' ? stdin : streamOf(openInput(file))) {
      chunks.push(Buffer.from(chunk));
      size += chunk.length;
      if (size > MAX_BYTES) throw new CliError('usage', `${name}: ${what} is longer than ${MAX_BYTES} bytes`);
    }
    return utf8Text(Buffer.concat(chunks));
  } catch (err) {
    if (err instanceof CliError) throw err;
    if (err instanceof NotUtf8Error) throw new CliError('usage', `${name}: ${err.message}`, { cause: err });
    if (!isSystemError(err)) throw err;
    // Omits the file's name: a user may have given the input or the credential itself by mistake.
    const from = file === '-' ? 'stdin' : 'the file that is named';
    throw new CliError('usage', `${what} can't be read from ${from}: ${reasonOf(err)}`);
  }
}

/** @returns `stats` tells a regular file from a pipe or a terminal @throws the system's error */
export function openInput(path: string): { fd: number; stats: BigIntStats } {
  // O_NONBLOCK: otherwise `open` waits for the writer of a pipe, and can't be interrupted meanwhile.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  return { fd, stats: fstatSync(fd, { bigint: true }) };
}

/** Reads a file from beginning to end and closes it. */
export function streamOf({ fd, stats }: ReturnType<typeof openInput>): AsyncIterable<Buffer> {
  if (stats.isFIFO()) return new Socket({ fd, readable: true, writable: false });
  return isatty(fd) ? new ReadStream(fd) : createReadStream('', { fd });
}

/** Whether it is an error of the system, and not a bug in this program. */
export function isSystemError(err: unknown): err is NodeJS.ErrnoException {
  return err instanceof Error && 'errno' in err;
}

/** Returns the system's reason without the file's name. */
export function reasonOf({ errno, code }: NodeJS.ErrnoException): string {
  return `${code}, ${getSystemErrorMessage(errno as number)}`;
}
