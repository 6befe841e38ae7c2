/** The attributes of both records, and an item as far as it is one: others write to the tables too. */
import { parseIsoTime } from '../domain/iso-time.ts';
import { clip } from '../domain/failures.ts';
import type { Item, Table } from './items.ts';

export type Kind = 'text' | 'time' | 'boolean' | 'error_info' | 'previous_jobs';

/** Those that the original writes: every record has them. */
export const REQUIRED = {
  status: {
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
  },
  history: {
    request_id: 'text',
    account_id: 'text',
    resource: 'text',
    action: 'text',
    job_id: 'text',
    start_at: 'time',
    status: 'text',
    trace_header: 'text',
  },
} as const satisfies Record<Table, Readonly<Record<string, Kind>>>;

/** Ours: a record has them where they apply. */
const MORE = {
  status: { updated_at: 'time', build_id: 'text', error_info: 'error_info' },
  history: {
    updated_at: 'time',
    build_id: 'text',
    error_info: 'error_info',
    requested_by: 'text',
    cancelled_by: 'text',
    previous_jobs: 'previous_jobs',
  },
} as const satisfies Record<Table, Readonly<Record<string, Kind>>>;

const KINDS: Record<Table, Readonly<Record<string, Kind>>> = {
  status: { ...REQUIRED.status, ...MORE.status },
  history: { ...REQUIRED.history, ...MORE.history },
};

const WHAT: Record<Kind, string> = {
  text: 'text',
  time: 'a time in ISO 8601, UTC',
  boolean: 'a boolean',
  error_info: 'a map with the texts Error and Cause',
  previous_jobs: 'a list of jobs',
};

/** The names of all of a table's attributes. */
export function attributesOf(table: Table): string[] {
  return Object.keys(KINDS[table]);
}

/**
 * @param kinds those that are looked at; all by default
 * @returns the names of attributes that are missing or of another type, each with what is wrong
 */
export function attributeFaults(
  table: Table,
  item: Item,
  kinds: Readonly<Record<string, Kind>> = KINDS[table],
): Map<string, string> {
  const faults = new Map<string, string>();
  for (const [name, kind] of Object.entries(kinds)) {
    if (isOfKind(item[name], kind)) continue;
    if (item[name] !== undefined) faults.set(name, `${name} is not ${WHAT[kind]}`);
    else if (Object.hasOwn(REQUIRED[table], name)) faults.set(name, `${name} is missing`);
  }
  return faults;
}

export function isOfKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'time':
      return (
        typeof value === 'string' &&
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) &&
        !Number.isNaN(parseIsoTime(value))
      );
    case 'boolean':
      return typeof value === 'boolean';
    case 'error_info':
      return hasTexts(value, ['Error', 'Cause']);
    case 'previous_jobs':
      return Array.isArray(value) && value.every(isPreviousJob);
  }
}

function isPreviousJob(value: unknown): boolean {
  const { error_info } = (value ?? {}) as { error_info?: unknown };
  return (
    hasTexts(value, ['job_id', 'start_at', 'status']) &&
    (error_info === undefined || isOfKind(error_info, 'error_info'))
  );
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Item)[name] === 'string');
}

/** A record as it was read: attributes that are missing or of another type are not there, and `odd_attributes` names them. */
export type AsRead<R> = Partial<Omit<R, 'status'>> & {
  /** Any text. */
  status?: string;
  /** By name, what is wrong with each, and its value as far as it fits. */
  odd_attributes?: Record<string, string>;
};

const VALUE_MAX_CHARACTERS = 200;

/** What of an item can be relied on. Attributes that are none of ours stay as they are. */
export function asRecord<R>(table: Table, item: Item): AsRead<R> {
  const faults = attributeFaults(table, item);
  const sound = Object.entries(item).filter(([name]) => !faults.has(name) && name !== 'odd_attributes');
  const odd = [...faults].map(([name, fault]) => [name, `${fault}${valueOf(item[name])}`]);
  return {
    ...Object.fromEntries(sound),
    ...(odd.length === 0 ? {} : { odd_attributes: Object.fromEntries(odd) as Record<string, string> }),
  } as AsRead<R>;
}

function valueOf(value: unknown): string {
  return value === undefined ? '' : `: ${clip(JSON.stringify(value), VALUE_MAX_CHARACTERS)}`;
}

/** Whether nothing is odd about a record. */
export function isWhole<R>(record: AsRead<R>): record is AsRead<R> & R {
  return record.odd_attributes === undefined;
}

/** In a sentence about a record: what is odd about it. */
export function oddities({ odd_attributes = {} }: AsRead<unknown>): string {
  return Object.values(odd_attributes).join('; ');
}
