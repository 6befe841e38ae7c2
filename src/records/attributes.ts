/** The attributes of both records, and which part of an item is valid: other programs write to the tables too. */
import { defined } from '../domain/defined.ts';
import { hasTexts, isDirectoryGroup, isDirectoryServer, type DirectoryGroup } from '../domain/directory-group.ts';
import { parseIsoTime } from '../domain/iso-time.ts';
import { clip, type ErrorInfo } from '../domain/failures.ts';
import type { RecordStatus } from '../domain/record-status.ts';
import type { PreviousJob } from '../domain/resumption.ts';
import type { Item, Table } from './items.ts';

/** The type of each kind of attribute. */
interface Kinds {
  text: string;
  /** ISO 8601, UTC. */
  time: string;
  boolean: boolean;
  /** Any text when read; a {@link RecordStatus} when written. */
  status: RecordStatus;
  error_info: ErrorInfo;
  directory_group: DirectoryGroup;
  previous_jobs: PreviousJob[];
}

export type Kind = keyof Kinds;

/** Attributes that the Step Functions state machine writes. Every record has them. */
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
    status: 'status',
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
    status: 'status',
    trace_header: 'text',
  },
} as const satisfies Record<Table, Readonly<Record<string, Kind>>>;

/** Our own attributes. A record has them if they apply. */
const MORE = {
  status: { updated_at: 'time', build_id: 'text', error_info: 'error_info', directory_group: 'directory_group' },
  history: {
    updated_at: 'time',
    build_id: 'text',
    error_info: 'error_info',
    directory_group: 'directory_group',
    requested_by: 'text',
    /** Who asked Temporal to cancel, by the client's identity: `user@host` for our command line. */
    cancelled_by: 'text',
    /** After a resume: how the jobs before it ended, oldest first. */
    previous_jobs: 'previous_jobs',
  },
} as const satisfies Record<Table, Readonly<Record<string, Kind>>>;

type Of<T extends Readonly<Record<string, Kind>>> = { -readonly [K in keyof T]: Kinds[T[K]] };

export type RecordOf<T extends Table> = Of<(typeof REQUIRED)[T]> & Partial<Of<(typeof MORE)[T]>>;

export const KINDS: Record<Table, Readonly<Record<string, Kind>>> = {
  status: { ...REQUIRED.status, ...MORE.status },
  history: { ...REQUIRED.history, ...MORE.history },
};

const CHECKS: { readonly [K in Kind]: { what: string; is: (value: unknown) => boolean } } = {
  text: { what: 'text', is: isText },
  time: { what: 'a time in ISO 8601, UTC', is: isTime },
  boolean: { what: 'a boolean', is: (value) => typeof value === 'boolean' },
  status: { what: 'text', is: isText },
  error_info: { what: 'a map with the texts Error and Cause', is: isErrorInfo },
  directory_group: { what: 'a map with the texts name and dn, and an outcome of builds', is: isDirectoryGroup },
  previous_jobs: { what: 'a list of jobs', is: (value) => Array.isArray(value) && value.every(isPreviousJob) },
};

/**
 * @param kinds the attributes to check; all by default
 * @returns the attributes that are missing or of another type, by name, each with what is wrong
 */
export function attributeFaults(
  table: Table,
  item: Item,
  kinds: Readonly<Record<string, Kind>> = KINDS[table],
): Map<string, string> {
  const faults = new Map<string, string>();
  for (const [name, kind] of Object.entries(kinds)) {
    if (isOfKind(item[name], kind)) continue;
    if (item[name] !== undefined) faults.set(name, `${name} is not ${CHECKS[kind].what}`);
    else if (Object.hasOwn(REQUIRED[table], name)) faults.set(name, `${name} is missing`);
  }
  return faults;
}

export function isOfKind(value: unknown, kind: Kind): boolean {
  return CHECKS[kind].is(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTime(value: unknown): boolean {
  return isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) && !Number.isNaN(parseIsoTime(value));
}

function isErrorInfo(value: unknown): boolean {
  if (!hasTexts(value, ['Error', 'Cause'])) return false;
  const { sent_to } = value as { sent_to?: unknown };
  return sent_to === undefined || isDirectoryServer(sent_to);
}

function isPreviousJob(value: unknown): boolean {
  const job = { updated_at: '', build_id: '', ...(value as object | null) };
  if (!hasTexts(job, ['job_id', 'start_at', 'status', 'updated_at', 'build_id'])) return false;
  const { error_info } = job as { error_info?: unknown };
  return error_info === undefined || isErrorInfo(error_info);
}

/** A record as read, without attributes of another type. `odd_attributes` has these, and those that are missing. */
export type AsRead<R> = Partial<Omit<R, 'status'>> & {
  /** Any text. */
  status?: string;
  /** What is wrong with each attribute, by name, and its value, cut to fit. */
  odd_attributes?: Record<string, string>;
};

const VALUE_MAX_CHARACTERS = 200;

/** Returns the valid part of an item. Attributes that are not ours stay as they are. */
export function asRecord<R>(table: Table, item: Item): AsRead<R> {
  const faults = attributeFaults(table, item);
  const sound = Object.entries(item).filter(([name]) => !faults.has(name));
  const odd = [...faults].map(([name, fault]) => [name, `${fault}${valueOf(item[name])}`]);
  const odd_attributes = odd.length === 0 ? undefined : (Object.fromEntries(odd) as Record<string, string>);
  return defined({ ...Object.fromEntries(sound), odd_attributes });
}

function valueOf(value: unknown): string {
  return value === undefined ? '' : `: ${clip(JSON.stringify(value), VALUE_MAX_CHARACTERS)}`;
}

/** Describes what is odd about a record, as part of a sentence. */
export function oddities({ odd_attributes = {} }: AsRead<unknown>): string {
  return Object.values(odd_attributes).join('; ');
}
