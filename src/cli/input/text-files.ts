/** The text of a file or of stdin, whatever it is for. */
import { constants, createReadStream, fstatSync, openSync, type BigIntStats } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { getSystemErrorMessage } from 'node:util';
import { NotUtf8Error, utf8Text } from '../../process/utf8.ts';
import { CliError } from '../errors/cli-error.ts';

/** Ten times what an input may be, since it may be indented; reading a device that never ends stops here. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * @param file `-` is stdin
 * @param what stands for it in messages: `the input`
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
    // Without the file's name: by mistake the input or the credential itself may have been given as one.
    const from = file === '-' ? 'stdin' : 'the file that is named';
    throw new CliError('usage', `${what} can't be read from ${from}: ${reasonOf(err)}`);
  }
}

/** @returns `stats` says what it is: a regular file, a pipe, a terminal @throws what the system says of it */
export function openInput(path: string): { fd: number; stats: BigIntStats } {
  // Without waiting for the writer of a pipe: a program that waits in `open` can't be interrupted.
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  return { fd, stats: fstatSync(fd, { bigint: true }) };
}

/** From the beginning to the end, and then closed. */
export function streamOf({ fd, stats }: ReturnType<typeof openInput>): AsyncIterable<Buffer> {
  if (stats.isFIFO()) return new Socket({ fd, readable: true, writable: false });
  return isatty(fd) ? new ReadStream(fd) : createReadStream('', { fd });
}

/** Whether it is what the system says of a file, and no fault of ours. */
export function isSystemError(err: unknown): err is NodeJS.ErrnoException {
  return err instanceof Error && 'errno' in err;
}

/** What the system says of a file, without the file's name. */
export function reasonOf({ errno, code }: NodeJS.ErrnoException): string {
  return `${code}, ${getSystemErrorMessage(errno as number)}`;
}
