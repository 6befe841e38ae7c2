/** Reads the lines of a CSV file by its header. */
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { Fault } from '../../../domain/validate-input.ts';
import { CliError } from '../../errors/cli-error.ts';
import { describeFault, LINE_MAX, WHOLE_LINE, type Line } from './lines.ts';

/** Columns for keys of the input's `build_body`; below, columns for keys of the input. They have the records' names. */
const BODY_COLUMNS = ['account_id', 'custom_role_name', 'build_type', 'action', 'dry_run'];
const SECONDS_COLUMNS = ['poll_interval_seconds', 'poll_spread_seconds', 'deadline_seconds'];
const INPUT_COLUMNS = [
  'resource',
  'url',
  'correlation_id',
  'trace_header',
  'requested_by',
  'take_over',
  'directory_group',
  ...SECONDS_COLUMNS,
];
const COLUMNS = [...BODY_COLUMNS, ...INPUT_COLUMNS];
const BOOLEAN_COLUMNS = ['dry_run', 'take_over', 'directory_group'];
/** Other names of columns: those of the flags of `start`, and of the input. */
const ALIASES = new Map([
  ['account', 'account_id'],
  ['role', 'custom_role_name'],
  ['ddb_composite_sort_key', 'resource'],
]);
/** The prefix of columns for further keys of `build_body`; their values stay text. */
const BODY_PREFIX = 'build_body.';
const BODY_DEFAULTS = { build_type: 'iam_role', action: 'create', dry_run: false };

export async function* csvLines(text: AsyncIterable<string>): AsyncGenerator<Line> {
  const parser = pipeline(
    Readable.from(text),
    // The limit of a record also ends a quote that was never closed.
    parse({ raw: true, relax_column_count: true, skip_empty_lines: true, max_record_size: LINE_MAX }),
    // The loop over the records throws the error.
    () => undefined,
  );
  let columns: string[] | undefined;
  let ended = 0;
  try {
    for await (const { record, raw } of parser as AsyncIterable<{ record: string[]; raw: string }>) {
      // The parser itself counts CR LF within quotes as two lines. The raw text has the empty lines before a record.
      const number = ended + lineEnds(/^[\r\n]*/.exec(raw)?.[0] ?? '') + 1;
      ended += lineEnds(raw);
      if (columns !== undefined) {
        yield { number, ...readCells(columns, record) };
        continue;
      }
      columns = record.map(columnOf);
      const faults = headerFaults(record, columns);
      if (faults.length > 0) {
        const lines = faults.map((fault) => `line ${number}: ${describeFault(fault)}`);
        throw new CliError('usage', lines.join('\n'), { fields: { faults } });
      }
    }
  } catch (err) {
    if (!(err instanceof CsvError)) throw err;
    // The rest of the file is not read, because it is unclear where the next record begins.
    const [why] = err.message.split(',');
    throw new CliError('usage', `line ${String(err['lines'])}: ${WHOLE_LINE}: is not CSV: ${why}`);
  }
}

function lineEnds(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
}

function columnOf(cell: string): string {
  const name = cell.trim();
  const plain = name.toLowerCase().replaceAll('-', '_');
  if (plain.startsWith(BODY_PREFIX)) {
    const key = name.slice(BODY_PREFIX.length);
    return BODY_COLUMNS.includes(key) ? key : `${BODY_PREFIX}${key}`;
  }
  return ALIASES.get(plain) ?? plain;
}

function headerFaults(header: readonly string[], columns: readonly string[]): Fault[] {
  return columns.flatMap((column, i) => {
    const isOfBody = column.startsWith(BODY_PREFIX) && column.length > BODY_PREFIX.length;
    let fault: string | undefined;
    if (column === 'encrypted_jwt') {
      fault = 'is not a column: give the credential with --encrypted-jwt-file or ENCRYPTED_JWT';
    } else if (header.length === 1 && /[;\t]/.test(column)) {
      fault = 'is not a column; separate columns with commas';
    } else if (!isOfBody && !COLUMNS.includes(column)) {
      fault = `is not a column; the columns are ${COLUMNS.join(', ')}, and ${BODY_PREFIX}KEY`;
    } else if (columns.indexOf(column) !== i) {
      fault = 'is there twice';
    }
    return fault === undefined ? [] : [{ path: '(header)', message: `${JSON.stringify(header[i])} ${fault}` }];
  });
}

/** Makes an input of the cells; empty cells are left out. */
function readCells(columns: readonly string[], cells: readonly string[]): Omit<Line, 'number'> {
  if (cells.length !== columns.length) {
    const message = `has ${cells.length} cells; the header has ${columns.length}`;
    return { faults: [{ path: WHOLE_LINE, message }] };
  }
  // These are maps, so that a key such as `__proto__` is an ordinary key.
  const body = new Map<string, unknown>(Object.entries(BODY_DEFAULTS));
  const given = new Map<string, unknown>();
  columns.forEach((column, i) => {
    const cell = (cells[i] as string).trim();
    if (cell === '') return;
    if (INPUT_COLUMNS.includes(column)) given.set(column, valueOf(column, cell));
    else body.set(column.replace(BODY_PREFIX, ''), valueOf(column, cell));
  });
  const resource = given.get('resource') ?? `${String(body.get('build_type'))}#${String(body.get('custom_role_name'))}`;
  given.delete('resource');
  const build_body = Object.fromEntries(body);
  return { given: { build_body, ddb_composite_sort_key: resource, ...Object.fromEntries(given) }, faults: [] };
}

/** Converts a cell. A cell that is not valid stays text, and the check of the input refuses it. */
function valueOf(column: string, cell: string): unknown {
  if (SECONDS_COLUMNS.includes(column) && /^\d+$/.test(cell)) return Number(cell);
  if (BOOLEAN_COLUMNS.includes(column) && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}
