/**
 * Finds builds in Temporal by their job or by their request. Any client may start a workflow and set its search
 * attributes as it likes. So results of a search are checked against what Temporal itself knows: a job's executions are
 * those whose first run ID is the job's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { keyword, ROLE_BUILD_WORKFLOW_TYPE, searchAttributes } from '../../contract.ts';
import { quotedForQuery } from '../../domain/execution-status.ts';
import { isRunId, WORKFLOW_ID_MAX_BYTES } from '../../domain/identity.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { undefinedIf } from '../errors/expected.ts';
import { inParallel } from '../in-parallel.ts';
import type { Services } from '../services.ts';
import { BUILDS_QUERY } from '../temporal/queries.ts';
import { lastEventOf, readStarted } from './events.ts';

export type Execution = WorkflowExecutionDescription;

/** How many executions that claim to be a job or a request are read, newest first. */
const CLAIMS_LOOKED_AT = 1_000;

/** Visibility lists a run a moment after its start; a search for a run that is this young is repeated. */
const LISTED_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 500;

/** Temporal's SQL stores fail for a query with NUL as if they were unavailable. */
const NUL = '\0';
const NO_QUERY = 'its name has a NUL, which Temporal can not be asked for';

/** @returns the description of a build's run, by default the latest; `undefined` if there is no such build */
export async function describeBuild(
  services: Services,
  workflowId: string,
  runId?: string,
): Promise<Execution | undefined> {
  if (Buffer.byteLength(workflowId) > WORKFLOW_ID_MAX_BYTES) return undefined;
  const handle = services.client.workflow.getHandle(workflowId, runId);
  const description = await undefinedIf(
    isUnknown,
    services.temporal(() => handle.describe()),
  );
  return description?.type === ROLE_BUILD_WORKFLOW_TYPE ? description : undefined;
}

/** Whether Temporal doesn't know the execution, or no longer has it. */
export function isUnknown(err: unknown): boolean {
  return err instanceof WorkflowNotFoundError;
}

export function firstRunIdOf({ raw }: Execution): string | undefined {
  return raw.workflowExecutionInfo?.firstRunId ?? undefined;
}

export interface FoundJob {
  /** The job's latest run, if Temporal still has it. */
  execution?: Execution;
  /** Whether no newer build has been started under its workflow ID. */
  isLatest?: boolean;
  /** Why the job may exist although it was not found. */
  unsure?: string;
}

/** @param workflowId the expected workflow ID, if it is known */
export async function findJob(services: Services, jobId: string, workflowId?: string): Promise<FoundJob> {
  if (!isRunId(jobId)) return {};
  const known = workflowId === undefined ? undefined : await findUnder(services, workflowId, jobId);
  if (known !== undefined) return known;
  // Searches by the run ID, which a client can't choose.
  const [run] = await claims(services, `RunId = '${jobId}'`, 1);
  const found = run === undefined ? undefined : await findUnder(services, run.workflowId, jobId);
  return found ?? findLaterRun(services, jobId, workflowId);
}

/** Repeats a search while the ID is so young that visibility may not list it yet. @throws once interrupted */
export async function onceListed<T>(
  { signal }: Services,
  id: string,
  look: () => Promise<T>,
  isFound: (found: T) => boolean,
): Promise<T> {
  const ageMs = Math.abs(Date.now() - madeMsOf(id));
  const giveUpAt = performance.now() + LISTED_WITHIN_MS - ageMs;
  for (;;) {
    const found = await look();
    if (isFound(found) || !(performance.now() < giveUpAt)) return found;
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** Returns when a UUID of version 7 was made, such as the run IDs of Temporal's server; NaN for any other text. */
function madeMsOf(id: string): number {
  const isOfVersion7 = isRunId(id) && id[14] === '7';
  return isOfVersion7 ? Number.parseInt(id.slice(0, 13).replace('-', ''), 16) : Number.NaN;
}

async function findUnder(services: Services, workflowId: string, jobId: string): Promise<FoundJob | undefined> {
  const latest = await describeBuild(services, workflowId);
  if (latest !== undefined && firstRunIdOf(latest) === jobId) return { execution: latest, isLatest: true };
  const first = await describeBuild(services, workflowId, jobId);
  if (first === undefined || firstRunIdOf(first) !== jobId) return undefined;
  return { execution: await lastOfChain(services, first), isLatest: latest === undefined };
}

function unsureAfter(looked: number): { unsure?: string } {
  return looked < CLAIMS_LOOKED_AT
    ? {}
    : { unsure: `only the first ${CLAIMS_LOOKED_AT} executions that may be it were looked at` };
}

/** Finds a later run of a job whose first runs Temporal no longer has. */
async function findLaterRun(services: Services, jobId: string, workflowId: string | undefined): Promise<FoundJob> {
  if (workflowId?.includes(NUL)) return { unsure: NO_QUERY };
  const query =
    workflowId === undefined
      ? `${BUILDS_QUERY} AND ${searchAttributes.JobId.name} = '${jobId}'`
      : `WorkflowId = ${quotedForQuery(workflowId)}`;
  const found = await claims(services, query, CLAIMS_LOOKED_AT);
  const described = await inParallel(found, (one) => describeBuild(services, one.workflowId, one.runId));
  const own = described.find((one) => one !== undefined && firstRunIdOf(one) === jobId);
  if (own === undefined) return unsureAfter(found.length);
  return { execution: await lastOfChain(services, own), isLatest: false };
}

/** Follows a job through continue-as-new and resets, from one of its runs to the last that Temporal has. */
async function lastOfChain(services: Services, run: Execution): Promise<Execution> {
  const nextRunId = await nextRunIdOf(services, run);
  const next = nextRunId === undefined ? undefined : await describeBuild(services, run.workflowId, nextRunId);
  return next === undefined ? run : lastOfChain(services, next);
}

async function nextRunIdOf(
  services: Services,
  { workflowId, runId, status, raw }: Execution,
): Promise<string | undefined> {
  const resetTo = raw.workflowExtendedInfo?.resetRunId;
  if (resetTo || status.name !== 'CONTINUED_AS_NEW') return resetTo || undefined;
  const last = await services.temporal(() => lastEventOf(services, { workflowId, runId }));
  return last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
}

export interface Start {
  workflow_id: string;
  job_id: string;
  input: RoleBuildInput;
}

/**
 * Reads what a run was started with, from its first event.
 *
 * @returns `undefined` if its input is not that of a build under its workflow ID
 * @throws PayloadUnreadableError if it is encrypted with a key that is not available
 */
export async function readStart(services: Services, workflowId: string, runId: string): Promise<Start | undefined> {
  const { input, job_id, workflow_id } =
    (await undefinedIf(isUnknown, readStarted(services, { workflowId, runId }))) ?? {};
  if (input === undefined || job_id === undefined || workflow_id !== workflowId) return undefined;
  return { workflow_id: workflowId, job_id, input };
}

/**
 * Finds the builds that were started for a request: for each workflow ID the open one, or else the last.
 *
 * @returns `unsure` says why a build may exist although none was found
 * @throws PayloadUnreadableError if none could be read
 */
export async function findStartsOf(
  services: Services,
  correlationId: string,
): Promise<{ starts: Start[]; unsure?: string }> {
  if (correlationId.includes(NUL)) return { starts: [], unsure: NO_QUERY };
  const claim = `${searchAttributes.CorrelationId.name} = ${quotedForQuery(keyword(correlationId))}`;
  const found = await claims(services, `${BUILDS_QUERY} AND ${claim}`, CLAIMS_LOOKED_AT);
  let unreadable: unknown;
  const read = await inParallel(found, ({ workflowId, runId }) =>
    // Other clients may set the same CorrelationId on a workflow that can't be read.
    readStart(services, workflowId, runId).catch((err: unknown) => void (unreadable = err)),
  );
  const starts = new Map<string, Start>();
  for (const start of read) {
    if (start?.input.correlation_id === correlationId && !starts.has(start.workflow_id)) {
      starts.set(start.workflow_id, start);
    }
  }
  if (starts.size === 0 && unreadable !== undefined) throw unreadable;
  return { starts: [...starts.values()], ...(starts.size > 0 ? {} : unsureAfter(found.length)) };
}

/** Lists the executions that a query finds: open ones first, then those that closed last. */
async function claims(services: Services, query: string, limit: number) {
  const list = services.client.workflow.list({ query, pageSize: Math.min(limit, 250) })[Symbol.asyncIterator]();
  const found: { workflowId: string; runId: string }[] = [];
  while (found.length < limit) {
    const next = await services.temporal(() => list.next());
    if (next.done === true) break;
    found.push(next.value);
  }
  return found;
}
