/** What is known of a request before it is started: whether an earlier run of the batch, or anyone, has started it. */
import { isRecordStatus } from '../../domain/record-status.ts';
import { asRecord, type AsRead } from '../../records/attributes.ts';
import type { HistoryRecord } from '../../records/history-table.ts';
import { heldByStepFunctions, withoutStart } from '../../records/in-the-way.ts';
import { itemsOf, keyText, type Item, type Table } from '../../records/items.ts';
import { isHeldByStepFunctions } from '../../records/write.ts';
import { inParallel } from '../in-parallel.ts';
import type { Services } from '../services.ts';
import { endOf, lastExecutionOf, type BuildEnd, type LastExecution } from './last-execution.ts';
import type { ReportStatus } from './report.ts';
import type { Request } from './requests.ts';

/** A request that is not to be started. */
export interface Earlier {
  status: ReportStatus;
  job_id?: string;
  error?: string;
}

/** A request, and either what became of it or the run that its start comes after. */
export interface LookedUp {
  request: Request;
  earlier: Earlier | undefined;
  /** The last run under its workflow ID, which has closed; `undefined` where there is none. */
  after: string | undefined;
}

/** What is looked at of a record, whatever is in it. */
type Found = AsRead<Pick<HistoryRecord, 'account_id' | 'resource' | 'job_id' | 'start_at' | 'status' | 'error_info'>>;

interface Known {
  request: Request;
  /** The record of the request: it holds for years, where Temporal forgets within days. */
  history: Found | undefined;
  /** The record of the resource, whoever asked for it last. */
  holder: Found | undefined;
  last?: LastExecution | undefined;
  /** How that ended, where it was of this request and its record is not to be found. */
  ended?: BuildEnd | undefined;
}

const READ = ['account_id', 'resource', 'job_id', 'start_at', 'status', 'error_info'];

/**
 * Whether each request has been started, or must not be, since Step Functions holds a record of it; in the order of the requests.
 *
 * @param runAgainAfter the job whose failure is why the request runs again
 */
export async function lookUp(
  services: Services,
  requests: readonly Request[],
  runAgainAfter: (request: Request) => string | undefined,
): Promise<LookedUp[]> {
  const known = await recordsOf(services, requests);
  const unsettled = known.filter((one) => !isSettled(one, runAgainAfter(one.request)));
  await inParallel(unsettled, async (one) => (one.last = await lastExecutionOf(services, one.request)));
  // An execution that has closed has left whatever record it ever will, perhaps after the look at the records.
  const closed = unsettled.filter(({ last }) => last?.isOpen === false);
  const records = await recordsOf(
    services,
    closed.map(({ request }) => request),
  );
  closed.forEach((one, i) => Object.assign(one, records[i]));
  const withoutRecord = closed.filter(({ history }) => history === undefined);
  await inParallel(withoutRecord, async (one) => (one.ended = await endOf(services, one.request, one.last?.runId)));
  return known.map((one) => ({
    request: one.request,
    earlier: earlierOf(one, runAgainAfter(one.request)),
    after: one.last?.runId,
  }));
}

/** What it means that a build holds the resource: the request's own, or another's. */
export async function heldBy(services: Services, request: Request, held: Error): Promise<Earlier> {
  const last = await lastExecutionOf(services, request);
  return last?.ownJob === undefined
    ? { status: 'REFUSED', error: held.message }
    : { status: 'IN_PROGRESS', job_id: last.ownJob };
}

function recordsOf(services: Services, requests: readonly Request[]): Promise<Known[]> {
  const keys = requests.map(({ input }) => ({
    request_id: input.correlation_id,
    account_id: input.build_body.account_id,
    resource: input.ddb_composite_sort_key,
  }));
  return services.dynamoDb(async () => {
    const { tables } = services;
    const [histories, statuses] = await Promise.all([
      itemsOf(tables, 'history', keys, ['request_id', ...READ], { consistent: true }),
      itemsOf(tables, 'status', keys, READ, { consistent: true }),
    ]);
    return requests.map((request, i) => ({
      request,
      history: found('history', histories, keys[i]),
      holder: found('status', statuses, keys[i]),
    }));
  });
}

function found(table: Table, items: Map<string, Item>, key: Item = {}): Found | undefined {
  const item = items.get(keyText(table, key));
  return item === undefined ? undefined : asRecord(table, item);
}

/** How each request ended or stands, by its ID, as the history has it. */
export function historiesOf(services: Services, requestIds: readonly string[]): Promise<Map<string, Found>> {
  return services.dynamoDb(async () => {
    const keys = requestIds.map((request_id) => ({ request_id }));
    const items = await itemsOf(services.tables, 'history', keys, ['request_id', ...READ], { consistent: true });
    return new Map([...items.values()].map((item) => [String(item['request_id']), asRecord('history', item)]));
  });
}

/** Whether the history record alone says what became of a request. */
function isSettled({ history }: Known, runAgainAfter: string | undefined): boolean {
  if (history === undefined || isHeldByStepFunctions(history)) return false;
  // Its last job failed, and it is asked to run again after that one and no other.
  return runAgainAfter === undefined || history.job_id !== runAgainAfter || history.status === 'COMPLETE';
}

function earlierOf(known: Known, runAgainAfter: string | undefined): Earlier | undefined {
  const { request, history, holder, last, ended } = known;
  const { input } = request;
  if (history !== undefined) {
    const { account_id = '(no account)', resource = '(no resource)' } = history;
    if (account_id !== input.build_body.account_id || resource !== input.ddb_composite_sort_key) {
      return { status: 'REFUSED', error: `request ${input.correlation_id} is that of ${account_id} ${resource}` };
    }
    // A job that this Temporal does not know may run on another.
    const mayRun = history.status === 'IN_PROGRESS' && !isHeldByStepFunctions(history) && last === undefined;
    if (mayRun || isSettled(known, runAgainAfter)) return asRecorded(history);
  }
  const isAskedAgain = runAgainAfter !== undefined && ended?.job_id === runAgainAfter && ended.status !== 'COMPLETE';
  if (ended !== undefined && !isAskedAgain) {
    return { status: ended.status as ReportStatus, ...jobOf(ended), ...errorOf(ended) };
  }
  if (last?.ownJob !== undefined) return { status: 'IN_PROGRESS', job_id: last.ownJob };
  for (const record of [holder, history]) {
    const error = (input.take_over === true ? undefined : heldByStepFunctions(record)) ?? withoutStart(record);
    if (error !== undefined) return { status: 'REFUSED', ...jobOf(record), error };
  }
  return undefined;
}

function asRecorded(history: Found): Earlier {
  const { status } = history;
  if (isRecordStatus(status)) return { status, ...jobOf(history), ...errorOf(history) };
  const error = `its history record has the status ${JSON.stringify(status)}, which is none: role-build doctor --fix`;
  return { status: 'REFUSED', ...jobOf(history), error };
}

function jobOf(record: { job_id?: string } | undefined): { job_id?: string } {
  return record?.job_id === undefined ? {} : { job_id: record.job_id };
}

/** Why it failed, as far as its record says so in words. */
export function errorOf({ error_info, odd_attributes }: Pick<Found, 'error_info' | 'odd_attributes'>): {
  error?: string;
} {
  const error = error_info === undefined ? odd_attributes?.['error_info'] : `${error_info.Error}: ${error_info.Cause}`;
  return error === undefined ? {} : { error };
}
