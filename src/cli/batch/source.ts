/** The file that a batch is made of: read as often as it is asked for, never as a whole, and the same each time. */
import { hash, randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, read, unlinkSync, writeFileSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { NotUtf8Error, utf8Chunks } from '../../utf8.ts';
import { CliError } from '../errors.ts';
import { isSystemError, openInput, reasonOf, streamOf } from '../text-files.ts';
import type { BatchFormat } from './formats.ts';
import { csvLines, jsonLines, type Line } from './lines.ts';

const EXTENSIONS = new Map<string, BatchFormat>([
  ['.ndjson', 'ndjson'],
  ['.jsonl', 'ndjson'],
  ['.csv', 'csv'],
]);
const readFrom = promisify(read);
const CHUNK_BYTES = 64 * 1024;
/** So much of a pipe is kept: one that never ends must not fill the disk. */
const KEPT_MAX_BYTES = 1024 ** 3;

/** Which file it is, by whatever name it was opened. */
export type FileIdentity = Pick<BigIntStats, 'dev' | 'ino'>;

interface Opened {
  fd: number;
  /** What was given: a regular file, a pipe, a terminal. */
  given: BigIntStats | undefined;
  /** Where it is; absent where it is a copy that nobody else can open. */
  path?: string;
}

/** @throws CliError `usage` where it can't be read, or its format is not known; `unreachable` where it can't be kept */
export async function openSource(
  file: string,
  format: BatchFormat | undefined,
  stdin: NodeJS.ReadableStream & { fd?: number },
): Promise<Source> {
  const known = format ?? (file === '-' ? 'ndjson' : EXTENSIONS.get(extname(file).toLowerCase()));
  if (known === undefined) {
    throw new CliError('usage', `${file}: is it ndjson or csv? Its name does not tell; say --format`);
  }
  try {
    return new Source(basename(file), known, file === '-' ? await openStdin(stdin) : await openFile(file));
  } catch (err) {
    if (!isSystemError(err)) throw err;
    throw new CliError('usage', `the batch can't be read: ${err.message}`, { cause: err });
  }
}

async function openStdin(stdin: NodeJS.ReadableStream & { fd?: number }): Promise<Opened> {
  const given = stdin.fd === undefined ? undefined : fstatSync(stdin.fd, { bigint: true });
  return { fd: await kept(stdin), given };
}

async function openFile(path: string): Promise<Opened> {
  const input = openInput(path);
  const { fd, stats } = input;
  return stats.isFile() ? { fd, given: stats, path } : { fd: await kept(streamOf(input)), given: stats };
}

/**
 * A copy of what can be read but once. There may be credentials in it, so its name is gone before anything is in it: nobody else
 * can open it, and nothing is left of it however this process ends.
 */
async function kept(stream: AsyncIterable<Buffer | string>): Promise<number> {
  const fd = keeping(() => {
    const path = join(tmpdir(), `role-build-${randomUUID()}`);
    const created = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return created;
  });
  try {
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > KEPT_MAX_BYTES) throw new CliError('usage', `the batch is longer than ${KEPT_MAX_BYTES} bytes`);
      keeping(() => writeFileSync(fd, chunk));
    }
    return fd;
  } catch (err) {
    closeSync(fd);
    throw err;
  }
}

function keeping<T>(step: () => T): T {
  try {
    return step();
  } catch (err) {
    if (!isSystemError(err)) throw err;
    const why = `a batch that is no file is read twice, and it can't be kept in ${tmpdir()}: ${reasonOf(err)}`;
    throw new CliError('unreachable', why, { cause: err, hint: 'TMPDIR names another folder; or give a file' });
  }
}

export class Source {
  /** What the file is called, wherever it lies. */
  readonly name: string;
  /** Which file was given, where it is known. */
  readonly identity: FileIdentity | undefined;
  readonly #format: BatchFormat;
  readonly #opened: Opened;
  /** Of each chunk, as it was when the lines were checked. */
  #checked: string[] | undefined;

  constructor(name: string, format: BatchFormat, opened: Opened) {
    this.name = name;
    this.identity = opened.given;
    this.#format = format;
    this.#opened = opened;
  }

  /**
   * The lines from the first on. Those of a second time are those of the first.
   *
   * @throws CliError `usage` where the text can't be understood, or is another than the first time
   */
  lines(): AsyncGenerator<Line> {
    return this.#format === 'csv' ? csvLines(this.#text()) : jsonLines(this.#text());
  }

  /** @throws CliError `usage` where somebody has written to the file since it was opened, or put another in its place */
  async mustBeUnchanged(): Promise<void> {
    const { path, given } = this.#opened;
    if (path === undefined) return;
    const now = await stat(path, { bigint: true }).catch(() => undefined);
    const isSame = (['dev', 'ino', 'size', 'mtimeNs'] as const).every((key) => now?.[key] === given?.[key]);
    if (!isSame) throw this.#changed('nothing was started');
  }

  close(): void {
    closeSync(this.#opened.fd);
  }

  async *#text(): AsyncGenerator<string> {
    try {
      yield* utf8Chunks(this.#chunks());
    } catch (err) {
      throw err instanceof NotUtf8Error ? new CliError('usage', `${this.name}: ${err.message}`, { cause: err }) : err;
    }
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const digests: string[] = [];
    for (let position = 0, length = 1; length > 0; position += length) {
      length = await this.#fill(buffer, position);
      const chunk = buffer.subarray(0, length);
      const digest = hash('sha256', chunk, 'base64');
      // No line is started that is not the one which was checked. The end counts as a chunk too.
      if (this.#checked !== undefined && digest !== this.#checked[digests.length]) {
        throw this.#changed('no more of it is started');
      }
      digests.push(digest);
      yield chunk;
    }
    this.#checked ??= digests;
  }

  /** @returns how many bytes there are, fewer than the buffer holds at the end alone */
  async #fill(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await readFrom(this.#opened.fd, buffer, filled, buffer.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  #changed(so: string): CliError {
    return new CliError('usage', `${this.name} has changed since it was checked, so ${so}`, {
      hint: 'the same command once more: it checks the file anew and starts what is missing',
    });
  }
}
