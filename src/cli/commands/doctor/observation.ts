/** One job with all that is known of it: what stands where its records are or would be, and what became of its workflow. */
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

/** What stands in the tables where a job's records are or would be. */
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
    // It may have resumed the one in its place.
    actual.state === 'gone' && found.history ? { previous_jobs: endsIn(found.history) } : undefined,
  ]);
  /** The job's own records. */
  const own = TABLES.flatMap((table) => {
    const item = ofJob(table);
    return item === undefined ? [] : [{ table, item }];
  });
  /** The tables in which its record may be created: nothing stands there, or an older job's record. */
  const vacant = TABLES.filter((table) => {
    const item = found[table];
    return item === undefined ? isKey(table, facts) : ofJob(table) === undefined && isOlder(item, facts);
  });
  /** The build API's ID of the job's build, from Temporal or from either record. */
  const build_id = known ?? own.map(({ item }) => textOf(item, 'build_id')).find((id) => id !== undefined);
  const ended = own.filter(({ item }) => isEndStatus(item['status']));
  /** Of its own records one for each end that they tell. */
  const ends = ended.filter(({ item }, i) => ended.findIndex((one) => endIn(one.item) === endIn(item)) === i);
  /** The end that they tell, if it is one: one who knew it wrote it. */
  const recorded = ends.length === 1 && ends[0] !== undefined ? endOf(ends[0].item, build_id) : undefined;
  const isOver = actual.state === 'lost' || actual.state === 'gone';
  /** Whether the build API's word would decide what neither Temporal nor the records do. */
  const isUndecided = isOver && own.length > 0 && recorded === undefined;
  return { actual, facts, found, own, vacant, build_id, ends, recorded, isUndecided };
}

function endsIn(item: Item): PreviousJob[] {
  const record = asRecord<HistoryRecord>('history', item);
  return withPreviousJob(record.previous_jobs ?? [], record as PreviousJob);
}

/** Whether a record is an older job's of the same build, and not one of Step Functions. */
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

/** An `error_info` says something of a failure alone. */
function endIn(item: Item): string {
  return item['status'] === 'FAILED' ? inWords(item) : String(item['status']);
}

/** What the job's records say, in words. */
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
