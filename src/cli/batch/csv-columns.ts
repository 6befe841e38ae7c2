import type { Fault } from '../../domain/validate-input.ts';

type Kind = 'text' | 'number' | 'boolean';

/** Where each column goes in the input: names as in the records; those of the flags of `start` lead to the same. */
const COLUMNS = new Map<string, { path: readonly [string] | readonly ['build_body', string]; kind: Kind }>([
  ['account_id', { path: ['build_body', 'account_id'], kind: 'text' }],
  ['custom_role_name', { path: ['build_body', 'custom_role_name'], kind: 'text' }],
  ['build_type', { path: ['build_body', 'build_type'], kind: 'text' }],
  ['action', { path: ['build_body', 'action'], kind: 'text' }],
  ['dry_run', { path: ['build_body', 'dry_run'], kind: 'boolean' }],
  ['resource', { path: ['ddb_composite_sort_key'], kind: 'text' }],
  ['url', { path: ['url'], kind: 'text' }],
  ['correlation_id', { path: ['correlation_id'], kind: 'text' }],
  ['trace_header', { path: ['trace_header'], kind: 'text' }],
  ['requested_by', { path: ['requested_by'], kind: 'text' }],
  ['poll_interval_seconds', { path: ['poll_interval_seconds'], kind: 'number' }],
  ['poll_spread_seconds', { path: ['poll_spread_seconds'], kind: 'number' }],
  ['deadline_seconds', { path: ['deadline_seconds'], kind: 'number' }],
  ['take_over', { path: ['take_over'], kind: 'boolean' }],
]);
const ALIASES = new Map([
  ['account', 'account_id'],
  ['role', 'custom_role_name'],
  ['ddb_composite_sort_key', 'resource'],
]);
/** More for `build_body`, as text. */
const BODY_PREFIX = 'build_body.';
const DEFAULTS = { build_type: 'iam_role', action: 'create', dry_run: false };

/** What the header of a CSV file means. */
export class CsvColumns {
  readonly faults: Fault[] = [];
  readonly #names: readonly string[];

  constructor(header: readonly string[]) {
    this.#names = header.map((cell) => {
      const name = cell.trim();
      if (name.startsWith(BODY_PREFIX)) {
        const key = name.slice(BODY_PREFIX.length);
        return COLUMNS.get(key)?.path[0] === 'build_body' ? key : name;
      }
      const plain = name.toLowerCase().replaceAll('-', '_');
      return ALIASES.get(plain) ?? plain;
    });
    this.#names.forEach((name, i) => {
      const shown = JSON.stringify(header[i]);
      if (name === 'encrypted_jwt') {
        this.#refuse(`${shown} is no column: give the credential with --encrypted-jwt-file or ENCRYPTED_JWT`);
      } else if (header.length === 1 && /[;\t]/.test(name)) {
        this.#refuse(`${shown} is no column; commas part one from the next`);
      } else if (!COLUMNS.has(name) && !(name.startsWith(BODY_PREFIX) && name.length > BODY_PREFIX.length)) {
        this.#refuse(`${shown} is no column; there are ${[...COLUMNS.keys()].join(', ')}, and build_body.KEY`);
      } else if (this.#names.indexOf(name) !== i) {
        this.#refuse(`${shown} is there twice`);
      }
    });
  }

  /** An input of what the cells say; an empty cell says nothing. */
  read(cells: readonly string[]): { given?: Record<string, unknown>; faults: Fault[] } {
    if (cells.length !== this.#names.length) {
      return {
        faults: [{ path: '(line)', message: `has ${cells.length} cells; the header has ${this.#names.length}` }],
      };
    }
    // Maps: a key such as `__proto__` is one of many.
    const body = new Map<string, unknown>(Object.entries(DEFAULTS));
    const given = new Map<string, unknown>();
    this.#names.forEach((name, i) => {
      const cell = (cells[i] as string).trim();
      if (cell === '') return;
      const column = COLUMNS.get(name);
      if (column === undefined) body.set(name.slice(BODY_PREFIX.length), cell);
      else if (column.path[0] === 'build_body') body.set(column.path[1] as string, valueOf(cell, column.kind));
      else given.set(column.path[0], valueOf(cell, column.kind));
    });
    const ddb_composite_sort_key = `${String(body.get('build_type'))}#${String(body.get('custom_role_name'))}`;
    return {
      given: { build_body: Object.fromEntries(body), ddb_composite_sort_key, ...Object.fromEntries(given) },
      faults: [],
    };
  }

  #refuse(message: string): void {
    this.faults.push({ path: '(header)', message });
  }
}

/** A cell that is not what it should be stays text, for the check of the input to refuse. */
function valueOf(cell: string, kind: Kind): unknown {
  if (kind === 'number' && /^\d+$/.test(cell)) return Number(cell);
  if (kind === 'boolean' && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}
