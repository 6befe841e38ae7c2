/** The file of a batch. It is read twice, to check all lines and then to start them. It must not change in between. */
import { hash, randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, read, unlinkSync, writeFileSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { NotUtf8Error, utf8Chunks } from '../../../process/utf8.ts';
import { CliError } from '../../errors/cli-error.ts';
import { isSystemError, openInput, reasonOf, streamOf } from '../../input/text-files.ts';
import { csvLines } from './csv.ts';
import { jsonLines } from './lines.ts';

export const BATCH_FORMATS = ['ndjson', 'csv'] as const;
export type BatchFormat = (typeof BATCH_FORMATS)[number];

const EXTENSIONS = new Map<string, BatchFormat>([
  ['.ndjson', 'ndjson'],
  ['.jsonl', 'ndjson'],
  ['.csv', 'csv'],
]);
const CHUNK_BYTES = 64 * 1024;
/** The longest batch that is copied, so that an endless pipe does not fill the disk. */
const COPY_MAX_BYTES = 1024 ** 3;
const readFrom = promisify(read);

interface Opened {
  fd: number;
  /** What the user gave: a regular file, a pipe, a terminal. */
  given: BigIntStats | undefined;
  /** Absent if `fd` is a copy. */
  path?: string;
}

type Stdin = NodeJS.ReadableStream & { fd?: number };

/** @throws CliError `usage` if it can't be read or its format is unknown; `unreachable` if it can't be copied */
export async function openSource(file: string, format: BatchFormat | undefined, stdin: Stdin): Promise<Source> {
  const known = format ?? (file === '-' ? 'ndjson' : EXTENSIONS.get(extname(file).toLowerCase()));
  if (known === undefined) {
    throw new CliError('usage', `${file}: its name does not say whether it is ndjson or csv; give --format`);
  }
  try {
    return sourceOf(basename(file), known, file === '-' ? await openStdin(stdin) : await openFile(file));
  } catch (err) {
    if (!isSystemError(err)) throw err;
    throw new CliError('usage', `the batch can't be read: ${err.message}`, { cause: err });
  }
}

async function openStdin(stdin: Stdin): Promise<Opened> {
  const given = stdin.fd === undefined ? undefined : fstatSync(stdin.fd, { bigint: true });
  return { fd: await copyOf(stdin), given };
}

async function openFile(path: string): Promise<Opened> {
  const input = openInput(path);
  const { fd, stats: given } = input;
  return given.isFile() ? { fd, given, path } : { fd: await copyOf(streamOf(input)), given };
}

/**
 * Copies what can be read only once. The copy may hold credentials, so its file is unlinked before anything is written:
 * nobody else can open it, and nothing is left of it however this process ends.
 */
async function copyOf(stream: AsyncIterable<Buffer | string>): Promise<number> {
  let fd: number | undefined;
  try {
    const path = join(tmpdir(), `role-build-${randomUUID()}`);
    fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > COPY_MAX_BYTES) throw new CliError('usage', `the batch is longer than ${COPY_MAX_BYTES} bytes`);
      writeFileSync(fd, chunk);
    }
    return fd;
  } catch (err) {
    if (fd !== undefined) closeSync(fd);
    if (!isSystemError(err) || err.syscall === 'read') throw err;
    const why = `a batch that is not a file is read twice, and it can't be copied to ${tmpdir()}: ${reasonOf(err)}`;
    throw new CliError('unreachable', why, { cause: err, hint: 'TMPDIR names another folder; or give a file' });
  }
}

export type Source = ReturnType<typeof sourceOf>;

/** @param name the file's name without its folder */
function sourceOf(name: string, format: BatchFormat, { fd, given, path }: Opened) {
  /** A digest of each chunk from the first reading, which checked the lines. */
  let checked: string[] | undefined;

  async function* text(): AsyncGenerator<string> {
    try {
      yield* utf8Chunks(chunks());
    } catch (err) {
      throw err instanceof NotUtf8Error ? new CliError('usage', `${name}: ${err.message}`, { cause: err }) : err;
    }
  }

  /** Compares each chunk before it yields it, so that no unchecked line is started. */
  async function* chunks(): AsyncGenerator<Buffer> {
    const digests: string[] = [];
    for (let position = 0, length = CHUNK_BYTES; length === CHUNK_BYTES; position += length) {
      const chunk = await chunkAt(position);
      length = chunk.length;
      const digest = hash('sha256', chunk, 'base64');
      if (checked !== undefined && digest !== checked[digests.length]) {
        throw changed('no more of it is started');
      }
      digests.push(digest);
      yield chunk;
    }
    checked ??= digests;
  }

  /** @returns a whole chunk, or less at the end of the file */
  async function chunkAt(position: number): Promise<Buffer> {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    let length = 0;
    for (let bytesRead = 1; bytesRead > 0 && length < CHUNK_BYTES; length += bytesRead) {
      ({ bytesRead } = await readFrom(fd, buffer, length, CHUNK_BYTES - length, position + length));
    }
    return buffer.subarray(0, length);
  }

  function changed(consequence: string): CliError {
    return new CliError('usage', `${name} has changed since it was checked, so ${consequence}`, {
      hint: 'run the same command again: it checks the file and starts the builds that are missing',
    });
  }

  return {
    name,
    /** The file that was given; `undefined` if it is not known. */
    identity: given,
    /** Reads all lines. @throws CliError `usage` if the text is not valid, or differs from the first reading */
    lines: () => (format === 'csv' ? csvLines(text()) : jsonLines(text())),
    /** @throws CliError `usage` if the file was written to or replaced since it was opened */
    async mustBeUnchanged(): Promise<void> {
      if (path === undefined) return;
      const now = await stat(path, { bigint: true }).catch(() => undefined);
      const isSame = (['dev', 'ino', 'size', 'mtimeNs'] as const).every((key) => now?.[key] === given?.[key]);
      if (!isSame) throw changed('nothing was started');
    },
    close: () => closeSync(fd),
  };
}
