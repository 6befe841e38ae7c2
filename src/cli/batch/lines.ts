/** The lines of a batch as they are written: NDJSON or CSV. */
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Fault } from '../../domain/validate-input.ts';
import { CliError } from '../errors.ts';
import { syntaxProblem } from '../read-input.ts';
import { CsvColumns } from './csv-columns.ts';

/** In characters: above any input that is accepted. Ends a quote that was never closed. */
const LINE_MAX = 4_000_000;
const LINE = '(line)';

/** What one line asks for, before anything is filled in; or why it can't be read. */
export interface Line {
  number: number;
  given?: unknown;
  faults: Fault[];
}

/** Each fault with its line. */
export function describeFaults(line: number, faults: readonly Fault[]): string {
  return faults.map(({ path, message }) => `line ${line}: ${path}: ${message}`).join('\n');
}

export async function* jsonLines(text: AsyncIterable<string>): AsyncGenerator<Line> {
  let number = 0;
  for await (const json of textLines(text)) {
    number += 1;
    if (json.trim() === '') continue;
    try {
      yield { number, given: JSON.parse(json) as unknown, faults: [] };
    } catch (err) {
      yield { number, faults: [{ path: LINE, message: `is not JSON: ${syntaxProblem(err as Error)}` }] };
    }
  }
}

/**
 * One at a time: node:readline would read a thousand ahead, and one may be as large as an input may be.
 *
 * @throws CliError `usage` where one is larger still
 */
export async function* textLines(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.map(withoutMark);
    if (rest.length > LINE_MAX) throw new CliError('usage', `a line is longer than ${LINE_MAX} characters`);
  }
  if (rest !== '') yield withoutMark(rest);
}

/** Files that were joined have the byte order mark of each. */
function withoutMark(line: string): string {
  return line.startsWith('\uFEFF') ? line.slice(1) : line;
}

interface CsvRecord {
  record: string[];
  raw: string;
}

export async function* csvLines(text: AsyncIterable<string>): AsyncGenerator<Line> {
  const parser = pipeline(
    Readable.from(text),
    parse({ raw: true, relax_column_count: true, skip_empty_lines: true, max_record_size: LINE_MAX }),
    // It goes to whoever reads the records.
    () => undefined,
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
