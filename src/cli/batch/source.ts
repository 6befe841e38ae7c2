/** The lines of a batch: a file that is streamed as often as it is asked for, never read as a whole. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import type { Fault } from '../../domain/validate-input.ts';
import { CliError } from '../errors.ts';
import { syntaxProblem } from '../read-input.ts';
import { CsvColumns } from './csv-columns.ts';
import type { BatchFormat } from './formats.ts';

const EXTENSIONS: Record<string, BatchFormat> = { '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.csv': 'csv' };
/** In characters or bytes: above any input that is accepted. Ends a quote that was never closed. */
const LINE_MAX = 4_000_000;
const LINE = '(line)';

/** What one line asks for, before anything is filled in; or why it can't be read. */
export interface Line {
  number: number;
  given?: unknown;
  faults: Fault[];
}

export interface Source {
  /** What the file is called, wherever it lies. */
  name: string;
  lines(): AsyncIterable<Line>;
  /** Removes what stdin was kept in. */
  close(): Promise<void>;
}

/** @throws CliError `usage` where it can't be read, or its format is not known */
export async function openSource(
  file: string,
  format: BatchFormat | undefined,
  stdin: NodeJS.ReadableStream,
): Promise<Source> {
  const known = format ?? (file === '-' ? 'ndjson' : EXTENSIONS[extname(file).toLowerCase()]);
  if (known === undefined) {
    throw new CliError('usage', `${file}: is it ndjson or csv? Its name does not tell; say --format`);
  }
  const lines = known === 'csv' ? csvLines : jsonLines;
  try {
    if (file !== '-' && (await stat(file)).isFile()) {
      await (await open(file)).close();
      return { name: basename(file), lines: () => lines(file), close: async () => undefined };
    }
    const spool = await spooled(file === '-' ? stdin : createReadStream(file));
    return { name: basename(file), lines: () => lines(spool.path), close: spool.remove };
  } catch (err) {
    throw new CliError('usage', `the batch can't be read: ${(err as Error).message}`, { cause: err });
  }
}

/** It is read twice, and a pipe can be read once. Nobody else may read what is kept: there may be credentials in it. */
async function spooled(stream: NodeJS.ReadableStream): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'role-build-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'stdin');
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600 }));
  } catch (err) {
    await remove();
    throw err;
  }
  return { path, remove };
}

async function* jsonLines(path: string): AsyncGenerator<Line> {
  let number = 0;
  for await (const text of textLines(path)) {
    number += 1;
    const json = number === 1 ? text.replace(/^\uFEFF/, '') : text;
    if (json.trim() === '') continue;
    try {
      yield { number, given: JSON.parse(json) as unknown, faults: [] };
    } catch (err) {
      yield { number, faults: [{ path: LINE, message: `is not JSON: ${syntaxProblem(err as Error)}` }] };
    }
  }
}

/** One at a time: node:readline would read a thousand ahead, and one may be as large as an input may be. */
async function* textLines(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > LINE_MAX) throw new CliError('usage', `a line is longer than ${LINE_MAX} characters`);
  }
  if (rest !== '') yield rest;
}

/** Each fault with its line. */
export function describeFaults(line: number, faults: readonly Fault[]): string {
  return faults.map(({ path, message }) => `line ${line}: ${path}: ${message}`).join('\n');
}

interface CsvRecord {
  record: string[];
  raw: string;
}

async function* csvLines(path: string): AsyncGenerator<Line> {
  const parser = createReadStream(path).pipe(
    parse({
      bom: true,
      raw: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: LINE_MAX,
    }),
  );
  let columns: CsvColumns | undefined;
  try {
    let ended = 0;
    for await (const { record, raw } of parser as AsyncIterable<CsvRecord>) {
      // The parser's own count takes a line end of two characters within quotes for two. Empty lines come before a record.
      const number = ended + lineEnds(/^[\r\n]*/.exec(raw)?.[0] ?? '') + 1;
      ended += lineEnds(raw);
      if (columns === undefined) {
        columns = new CsvColumns(record);
        const { faults } = columns;
        if (faults.length > 0) throw new CliError('usage', describeFaults(number, faults), { fields: { faults } });
      } else {
        yield { number, ...columns.read(record) };
      }
    }
  } catch (err) {
    if (!(err instanceof CsvError)) throw err;
    // Where the next record would begin is anyone's guess.
    throw new CliError('usage', `line ${String(err['lines'])}: ${LINE}: is not CSV: ${err.message.split(',')[0]}`);
  }
}

function lineEnds(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
}
