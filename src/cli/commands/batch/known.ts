/** Finds out whether an earlier run of the batch, or anyone else, has started a request already. */
import { STATE_NAMES } from '../../../activities/types.ts';
import { isOpen } from '../../../domain/execution-status.ts';
import { isRecordStatus } from '../../../domain/record-status.ts';
import { PayloadUnreadableError } from '../../../encryption/unreadable.ts';
import { asRecord, type AsRead } from '../../../records/attributes.ts';
import { heldByStepFunctions, withoutStart } from '../../../records/conflict.ts';
import type { HistoryRecord } from '../../../records/history-table.ts';
import { itemsOf, type Item, type Table } from '../../../records/items.ts';
import { isHeldByStepFunctions } from '../../../records/write.ts';
import { describeBuild, firstRunIdOf, isUnknown, readStart } from '../../build/find.ts';
import { recordOf, type BuildState } from '../../build/state.ts';
import { leniently } from '../../build/follow.ts';
import { describeExecution, readBuildState } from '../../build/view.ts';
import { undefinedIf } from '../../errors/expected.ts';
import { inParallel } from '../../in-parallel.ts';
import { oneLine } from '../../terminal/output.ts';
import type { Services } from '../../services.ts';
import type { ReportLine } from './report.ts';
import type { Request } from './requests.ts';

export type Known =
  /** The request can be started. `after` is the last run under its workflow ID, which has closed, if there is one. */
  | { state: 'not started'; after: string | undefined }
  | { state: 'running'; job_id: string | undefined }
  | ({ state: 'ended'; job_id: string | undefined } & End)
  /** The request can't be started, because of another build or another job's record. */
  | { state: 'held'; job_id?: string | undefined; error: string };

/** How a build ended, as the report says it. */
export type End = Pick<ReportLine, 'status' | 'error'>;

/** The part of a record that is read. Any attribute may be missing or odd. */
export type Found = AsRead<
  Pick<HistoryRecord, 'account_id' | 'resource' | 'job_id' | 'start_at' | 'status' | 'error_info'>
>;
const ATTRIBUTES = ['account_id', 'resource', 'job_id', 'start_at', 'status', 'error_info'];

/** What Temporal and DynamoDB have of a request. */
interface Facts {
  request: Request;
  /** The job that failed, if the request may run again after this job only. */
  failedJob: string | undefined;
  /** The request's record. It is kept for years, while Temporal forgets within days. */
  history: Found | undefined;
  /** The status record of the resource, for whichever request it is. */
  holder: Found | undefined;
  /** What Temporal has of the job of a history record that says IN_PROGRESS. */
  job: 'unknown' | 'open' | End;
  last: LastExecution | undefined;
  /** The end of the last execution, if it belongs to this request and left no record. */
  ended: Extract<Known, { state: 'ended' }> | undefined;
}

/** The last execution under the workflow ID of a request's account and resource. */
interface LastExecution {
  runId: string;
  jobId: string;
  isOpen: boolean;
  /** Whether it is open and belongs to this request. */
  isOwn: boolean;
}

/**
 * @param failedJobs the jobs that failed, by correlation ID, of the requests that run again
 * @returns in the order of the requests
 */
export async function lookUp(
  services: Services,
  requests: readonly Request[],
  failedJobs: ReadonlyMap<string, string | undefined>,
): Promise<{ request: Request; known: Known }[]> {
  // Temporal is read first: an execution that has closed has written all the records that it ever will.
  const executions = await inParallel(requests, (request) => lastExecutionOf(services, request));
  const ids = requests.map(({ input }) => input.correlation_id);
  const builds = requests.map(({ input }) => ({
    account_id: input.build_body.account_id,
    resource: input.ddb_composite_sort_key,
  }));
  const [histories, holders] = await Promise.all([
    historiesOf(services, ids),
    recordsOf(services, 'status', builds, ATTRIBUTES),
  ]);
  return inParallel([...requests.entries()], async ([i, request]) => {
    const [history, holder, last] = [histories[i], holders[i], executions[i]];
    const isWithoutRecord = history === undefined && last?.isOpen === false;
    const ended = isWithoutRecord ? await endOf(services, request, last.runId) : undefined;
    const job = history?.status === 'IN_PROGRESS' ? await jobOf(services, request, history, last) : 'unknown';
    const failedJob = failedJobs.get(request.input.correlation_id);
    return { request, known: knownOf({ request, failedJob, history, holder, job, last, ended }) };
  });
}

/** Reads the history records of requests, in the order of the IDs. */
export function historiesOf(services: Services, requestIds: readonly string[]): Promise<(Found | undefined)[]> {
  const keys = requestIds.map((request_id) => ({ request_id }));
  return recordsOf(services, 'history', keys, ['request_id', ...ATTRIBUTES]);
}

async function recordsOf(services: Services, table: Table, keys: readonly Item[], attributes: readonly string[]) {
  const { tables, dynamoDb } = services;
  const items = await dynamoDb(() => itemsOf(tables, table, keys, attributes, { consistent: true }));
  return items.map((item): Found | undefined => item && asRecord(table, item));
}

/** Asks Temporal by workflow ID, because visibility is late, and any starter can set a search attribute. */
async function lastExecutionOf(services: Services, { input, workflowId }: Request): Promise<LastExecution | undefined> {
  const last = await describeBuild(services, workflowId);
  if (last === undefined) return undefined;
  const { runId, status } = last;
  const jobId = firstRunIdOf(last) ?? runId;
  if (!isOpen(status.name)) return { runId, jobId, isOpen: false, isOwn: false };
  const start = await undefinedIf(isUnreadable, readStart(services, workflowId, runId));
  return { runId, jobId, isOpen: true, isOwn: start?.input.correlation_id === input.correlation_id };
}

async function jobOf(
  services: Services,
  { workflowId }: Request,
  { job_id }: Found,
  last: Facts['last'],
): Promise<Facts['job']> {
  if (last === undefined || job_id === undefined) return 'unknown';
  if (last.jobId === job_id) return last.isOpen ? 'open' : endOfRun(services, workflowId, last.runId);
  const execution = await describeExecution(services, workflowId, job_id);
  if (execution === undefined) return 'unknown';
  return isOpen(execution.status.name) ? 'open' : endOfRun(services, workflowId, execution.runId);
}

/**
 * Returns the end of a job whose record does not have it.
 *
 * @param runId its last run, which has closed; `undefined` if Temporal does not know it
 */
export async function endOfRun(services: Services, workflowId: string, runId: string | undefined): Promise<End> {
  if (runId === undefined) return endByEvents(services, undefined);
  return endByEvents(services, await undefinedIf(isUnknown, readBuildState(leniently(services), workflowId, runId)));
}

/**
 * Returns the end of a build whose POST was made, even if its records are gone, so that it is not made again.
 *
 * @returns `undefined` if the request's POST was not made
 */
async function endOf(services: Services, { input, workflowId }: Request, runId: string): Promise<Facts['ended']> {
  const build = await undefinedIf(isUnreadable, readBuildState(services, workflowId, runId));
  if (build?.input?.correlation_id !== input.correlation_id) return undefined;
  const wasPosted = build.steps.some(({ step }) => step === STATE_NAMES.triggerBuild);
  if (!wasPosted && build.continued !== true && build.resumes === undefined) return undefined;
  return { state: 'ended', job_id: build.job_id, ...endByEvents(services, build) };
}

/**
 * Returns the end of a build whose record does not have it.
 *
 * @param build its last run; `undefined` if Temporal does not know it
 */
function endByEvents({ namespace }: Services, build: BuildState | undefined): End {
  if (build === undefined || build.closed === 'CONTINUED_AS_NEW') {
    const where = `in the namespace ${namespace}: it was deleted, or runs in another; see role-build doctor`;
    return { status: 'FAILED', error: `ExecutionLost: Temporal does not know it ${where}` };
  }
  const { status, ...record } = recordOf(build);
  return status === 'COMPLETED'
    ? { status: 'FAILED', error: 'its workflow closed as COMPLETED without saying how the build ended' }
    : { status, error: errorOf(record) };
}

/** A payload that no key here can decrypt belongs to another client. */
function isUnreadable(err: unknown): boolean {
  return err instanceof PayloadUnreadableError || isUnknown(err);
}

function knownOf({ request: { input }, failedJob, history, holder, job, last, ended }: Facts): Known {
  if (history !== undefined) {
    const { account_id = '(no account)', resource = '(no resource)' } = history;
    if (account_id !== input.build_body.account_id || resource !== input.ddb_composite_sort_key) {
      const error = `request ${input.correlation_id} is that of ${oneLine(`${account_id} ${resource}`)}`;
      return { state: 'held', error };
    }
  }
  // The execution outranks the record, which may be an earlier job's, or may have the end shortly before the close.
  if (last?.isOwn === true) return { state: 'running', job_id: last.jobId };
  if (history !== undefined) {
    const { job_id } = history;
    // A job that this Temporal server does not know may run on another.
    const mayRun = history.status === 'IN_PROGRESS' && job === 'unknown';
    const isSettled = failedJob === undefined || job_id !== failedJob || history.status === 'COMPLETE';
    if (!isHeldByStepFunctions(history) && (mayRun || isSettled)) {
      return typeof job === 'object' ? { state: 'ended', job_id, ...job } : recorded(history);
    }
  }
  const runsAgain = failedJob !== undefined && ended?.job_id === failedJob && ended.status !== 'COMPLETE';
  if (ended !== undefined && !runsAgain) return ended;
  for (const record of [holder, history]) {
    const error = (input.take_over === true ? undefined : heldByStepFunctions(record)) ?? withoutStart(record);
    if (error !== undefined) return { state: 'held', job_id: record?.job_id, error };
  }
  return { state: 'not started', after: last?.runId };
}

function recorded(history: Found): Known {
  const { status, job_id } = history;
  if (status === 'IN_PROGRESS') return { state: 'running', job_id };
  if (isRecordStatus(status)) return { state: 'ended', status, job_id, error: errorOf(history) };
  const odd = history.odd_attributes?.['status'];
  const what = odd === undefined ? `has the status ${JSON.stringify(status)}, which is unknown` : `is odd: ${odd}`;
  const error = `its history record ${what}: role-build doctor --fix`;
  return { state: 'held', job_id, error };
}

/** Returns why a build failed, as far as its record says so. */
export function errorOf({ error_info, odd_attributes }: Pick<Found, 'error_info' | 'odd_attributes'>) {
  return error_info === undefined ? odd_attributes?.['error_info'] : `${error_info.Error}: ${error_info.Cause}`;
}
