/** What of a record doctor looks at, and what must be there: the attributes that the original writes. */
import type { Item, Table } from '../../records/items.ts';
import { statusAttributesOf, type RoleBuildInput } from '../../domain/role-build-input.ts';

type Kind = 'text' | 'time' | 'boolean';

const STATUS_ATTRIBUTES = {
  account_id: 'text',
  resource: 'text',
  build_type: 'text',
  action: 'text',
  custom_role_name: 'text',
  dry_run: 'boolean',
  job_id: 'text',
  start_at: 'time',
  status: 'text',
  correlation_id: 'text',
  trace_header: 'text',
} as const satisfies Record<string, Kind>;

const HISTORY_ATTRIBUTES = {
  request_id: 'text',
  account_id: 'text',
  resource: 'text',
  action: 'text',
  job_id: 'text',
  start_at: 'time',
  status: 'text',
  trace_header: 'text',
} as const satisfies Record<string, Kind>;

const KINDS: Record<Table, Readonly<Record<string, Kind>>> = {
  status: STATUS_ATTRIBUTES,
  history: HISTORY_ATTRIBUTES,
};
const WHAT: Record<Kind, string> = {
  text: 'text',
  time: 'a time in ISO 8601, UTC',
  boolean: 'a boolean',
};

/** What is read of each record on the way through a table; the rest of it may be large. */
export const ATTRIBUTES: Record<Table, readonly string[]> = {
  status: [...Object.keys(STATUS_ATTRIBUTES), 'error_info.Error'],
  history: [...Object.keys(HISTORY_ATTRIBUTES), 'error_info.Error'],
};

/** Attributes that make a record, by name. */
export type Facts = Readonly<Record<string, unknown>>;

/** @returns the names of attributes that are missing or of another type, each with what is wrong */
export function attributeFaults(table: Table, item: Item): Map<string, string> {
  const faults = new Map<string, string>();
  for (const [name, kind] of Object.entries(KINDS[table])) {
    if (item[name] === undefined) faults.set(name, `${name} is missing`);
    else if (!isOfKind(item[name], kind)) faults.set(name, `${name} is not ${WHAT[kind]}`);
  }
  return faults;
}

/** What is known of a job for its records: the first of the sources that has an attribute right wins. */
export function factsOf(sources: readonly (Item | undefined)[]): Facts {
  const facts: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries({
    ...HISTORY_ATTRIBUTES,
    ...STATUS_ATTRIBUTES,
    requested_by: 'text' as const,
  })) {
    const source = sources.find((one) => isOfKind(one?.[name], kind));
    if (source !== undefined) facts[name] = source[name];
  }
  return facts;
}

/** An input's part in {@link factsOf}. */
export function factsOfInput(input: RoleBuildInput): Item {
  return {
    ...statusAttributesOf(input),
    request_id: input.correlation_id,
    requested_by: input.requested_by,
  };
}

/** A whole record of these facts, `undefined` where they don't suffice. */
export function recordOfFacts(table: Table, facts: Facts, status: string): Item | undefined {
  const names = Object.keys(KINDS[table]).filter((name) => name !== 'status');
  if (names.some((name) => facts[name] === undefined)) return undefined;
  return { ...Object.fromEntries(names.map((name) => [name, facts[name]])), status };
}

/** What a record says of a job; `undefined` where it is not text. */
export function textOf(item: Item | undefined, name: string): string | undefined {
  const value = item?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** `error_info.Error`, which tells one FAILED from another. */
export function errorNameOf(item: Item | undefined): string | undefined {
  const errorInfo = item?.['error_info'];
  return typeof errorInfo === 'object' && errorInfo !== null ? textOf(errorInfo as Item, 'Error') : undefined;
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === 'boolean') return typeof value === 'boolean';
  if (typeof value !== 'string') return false;
  return (
    kind === 'text' || (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) && !Number.isNaN(Date.parse(value)))
  );
}
