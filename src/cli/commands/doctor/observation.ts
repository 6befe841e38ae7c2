/** Everything that is known of one job: the items at the keys of its records, and what became of its workflow. */
import { isStepFunctionsJob } from '../../../domain/identity.ts';
import { isEndStatus, type EndStatus } from '../../../domain/record-status.ts';
import { withPreviousJob } from '../../../domain/previous-jobs.ts';
import type { PreviousJob } from '../../../domain/resumption.ts';
import { statusAttributesOf } from '../../../domain/role-build-input.ts';
import { asRecord } from '../../../records/attributes.ts';
import type { HistoryRecord } from '../../../records/history-table.ts';
import { isKey, type Item, type Table } from '../../../records/items.ts';
import type { StatusRecord } from '../../../records/status-table.ts';
import type { ActualState } from './actual-state.ts';
import { errorNameOf, factsOf, textOf, type Facts } from './facts.ts';
import type { End } from './trace.ts';

/** The items at the keys of a job's records, whether they are the job's or not. */
export type Found = Record<Table, Item | undefined>;

export type Observation = ReturnType<typeof observationOf>;

const TABLES: readonly Table[] = ['status', 'history'];

export function observationOf(jobId: string | undefined, found: Found, actual: ActualState) {
  const ofJob = (table: Table) => (textOf(found[table], 'job_id') === jobId ? found[table] : undefined);
  const { trace } = actual.run ?? {};
  const { input, start_at, build_id: known } = trace?.build ?? {};
  const [status, history] = [ofJob('status'), ofJob('history')];
  const facts = factsOf([
    input && {
      ...statusAttributesOf(input),
      request_id: input.correlation_id,
      requested_by: input.requested_by,
      job_id: jobId,
      start_at,
      previous_jobs: trace?.previous_jobs,
    },
    status && { ...status, request_id: status['correlation_id'] },
    history && { ...history, correlation_id: history['request_id'] },
    // The lost job may have resumed the job whose record is still there.
    actual.state === 'gone' && found.history ? { previous_jobs: endsIn(found.history) } : undefined,
  ]);
  /** The job's own records. */
  const own = TABLES.flatMap((table) => {
    const item = ofJob(table);
    return item === undefined ? [] : [{ table, item }];
  });
  /** The tables where the job's record may be created: there is no item, or an older job's. */
  const vacant = TABLES.filter((table) => {
    const item = found[table];
    return item === undefined ? isKey(table, facts) : ofJob(table) === undefined && isOlder(item, facts);
  });
  /** The build API's ID of the build, from Temporal or from either record. */
  const build_id = known ?? own.map(({ item }) => textOf(item, 'build_id')).find((id) => id !== undefined);
  const ended = own.filter(({ item }) => isEndStatus(item['status']));
  /** One of the job's records for each different end. */
  const ends = ended.filter(({ item }, i) => ended.findIndex((one) => endIn(one.item) === endIn(item)) === i);
  /** The recorded end, if the records agree on one. Only someone who knew the end can have written it. */
  const recorded = ends.length === 1 && ends[0] !== undefined ? endOf(ends[0].item, build_id) : undefined;
  const isOver = actual.state === 'lost' || actual.state === 'gone';
  /** Whether the build API's answer would decide what neither Temporal nor the records tell. */
  const isUndecided = isOver && own.length > 0 && recorded === undefined;
  return { actual, facts, found, own, vacant, build_id, ends, recorded, isUndecided };
}

function endsIn(item: Item): PreviousJob[] {
  const record = asRecord<HistoryRecord>('history', item);
  return withPreviousJob(record.previous_jobs ?? [], record as PreviousJob);
}

/** Whether the record belongs to an older job of the same build, and not to Step Functions. */
function isOlder(item: Item, facts: Facts): boolean {
  if (isStepFunctionsJob(item['job_id'])) return false;
  if (item['account_id'] !== facts['account_id'] || item['resource'] !== facts['resource']) return false;
  const [theirs, ours] = [textOf(item, 'start_at'), textOf(facts, 'start_at')];
  return theirs !== undefined && ours !== undefined && theirs < ours;
}

function endOf(item: Item, build_id: string | undefined): End {
  const { error_info, directory_group } = asRecord<StatusRecord>('status', item);
  const status = item['status'] as EndStatus;
  return { status, build_id, error_info: status === 'FAILED' ? error_info : undefined, directory_group };
}

/** Returns the end in a record. An `error_info` counts only if the build failed. */
function endIn(item: Item): string {
  return item['status'] === 'FAILED' ? inWords(item) : String(item['status']);
}

/** Describes what the job's records say. */
export function saying({ own }: Observation): string {
  const [first, second] = own.map(({ item }) => inWords(item));
  if (first !== undefined && first === second) return `both records say ${first}`;
  return (
    own.map(({ table, item }) => `the ${table} record says ${inWords(item)}`).join(', ') || 'no record says anything'
  );
}

function inWords(item: Item): string {
  const { status, error_info } = item;
  if (typeof status !== 'string') return `no status (${JSON.stringify(status)})`;
  const name = errorNameOf(item);
  if (error_info !== undefined && status !== 'FAILED') {
    return `${status} with an error_info (${name ?? 'that is none'})`;
  }
  return name === undefined ? status : `${status}, ${name}`;
}
