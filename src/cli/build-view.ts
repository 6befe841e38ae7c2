/** One build as a command shows it: the record where there is one, Temporal's history where there is more to say. */
import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { CONTESTED_MEMO, parseRoleBuildId, WAIT_SUMMARY } from '../contract.ts';
import type { ReadHistoryRecord } from '../records/history-table.ts';
import { readStatusRecord, type ReadStatusRecord } from '../records/status-table.ts';
import { newBuildHistory, recordOf, takeEvent, type BuildHistory } from './build-history.ts';
import { isOpen } from '../domain/execution-status.ts';
import type { BuildStep } from './build-steps.ts';
import { notFound } from './errors.ts';
import { describeBuild, findJob } from './find-build.ts';
import { historyEvents } from './history-events.ts';
import { nextMove, type NextMove } from './next-move.ts';
import type { Services } from './services.ts';
import type { Target } from './target.ts';

/** The status record's attributes and what Temporal adds to them. */
export interface BuildView extends Record<string, unknown>, NextMove {
  workflow_id: string;
  job_id?: string;
  /** `UNKNOWN` where Temporal no longer has the execution and the record's is odd. */
  status: string;
  /** What is odd about the record, by attribute. */
  odd_attributes?: Record<string, string>;
  /** Temporal's word for the execution, where Temporal still has it. */
  execution_status?: string;
  contested?: boolean;
  step?: string;
  polls?: number;
  last_status?: string;
  next_poll_at?: string;
  next_attempt_at?: string;
  /** In order; the polls are one. Only where Temporal still has the execution. */
  steps?: BuildStep[];
  closed_at?: string;
  /** Its page in Temporal's Web UI. */
  ui_url?: string;
}

/** @returns the build, or `undefined` where neither Temporal nor the table knows it */
export async function viewBuild(services: Services, target: Target): Promise<BuildView | undefined> {
  const execution = await describeExecution(services, target);
  if (execution === undefined) {
    const view = await viewOfRecord(services, target);
    return view === undefined ? undefined : { ...view, ...nextMove(view, undefined) };
  }
  const build = await readBuildHistory(services, target.workflowId, execution.runId);
  await addEarlierSteps(services, target.workflowId, build);
  const record = isOpen(execution.status.name) ? undefined : await readRecord(services, target);
  if (record === undefined || record.job_id === build.job_id) {
    return viewOfExecution(services, execution, build, record);
  }
  if (target.jobId === undefined && (record.start_at ?? '') > (build.start_at ?? '')) {
    const view = viewOf(target, record);
    return { ...view, ...nextMove(view, undefined) };
  }
  // Whose it is, or that it is older, can't be told of one that is odd.
  const { odd_attributes } = record;
  return viewOfExecution(services, execution, build, odd_attributes === undefined ? undefined : { odd_attributes });
}

/** What a record can't say: an item's attribute of such a name would pass for what Temporal says. */
const NOT_IN_RECORDS = new Set(
  ['workflow_id', 'execution_status', 'contested', 'step', 'attempts', 'last_failure', 'polls', 'last_status'].concat([
    'next_poll_at',
    'next_attempt_at',
    'steps',
    'closed_at',
    'resumes',
    'move',
    'next_command',
    'ui_url',
  ]),
);

function attributesIn(record: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !NOT_IN_RECORDS.has(name)));
}

/** What is known of a build from a record alone. */
function viewOf({ workflowId }: Target, record: ReadStatusRecord | ReadHistoryRecord): BuildView {
  return { ...attributesIn(record), workflow_id: workflowId, status: record.status ?? 'UNKNOWN' };
}

/** @param record the build's own, where it has ended and there is one */
export function viewOfExecution(
  services: Services,
  execution: WorkflowExecutionDescription,
  build: BuildHistory,
  record?: object,
): BuildView {
  const { workflowId, runId, status, memo } = execution;
  const view: BuildView = {
    ...viewOfTemporal(workflowId, build),
    ...attributesIn(record ?? {}),
    execution_status: status.name,
    ...(isOpen(status.name) ? waitingFor(execution, build) : {}),
    ...(memo?.[CONTESTED_MEMO] === true ? { contested: true } : {}),
  };
  const ui_url = services.uiUrl(workflowId, runId);
  return { ...view, ...nextMove(view, build.input), ...(ui_url === undefined ? {} : { ui_url }) };
}

/** What is known of a build from Temporal alone. */
export function viewOfTemporal(workflowId: string, build: BuildHistory): BuildView {
  return {
    workflow_id: workflowId,
    ...recordOf(build),
    contested: build.outcome?.contested ?? false,
    polls: build.outcome?.polls ?? build.polls,
    ...(build.resumes === undefined ? {} : { resumes: build.resumes }),
    ...(build.cancelled_by === undefined ? {} : { cancelled_by: build.cancelled_by }),
    ...(build.current === undefined ? {} : { step: build.current.step, attempts: build.current.attempts }),
    ...(build.last_status === undefined ? {} : { last_status: build.last_status }),
    ...(build.next_poll_at === undefined ? {} : { next_poll_at: build.next_poll_at }),
    ...(build.next_attempt_at === undefined ? {} : { next_attempt_at: build.next_attempt_at }),
    ...(build.closed_at === undefined ? {} : { closed_at: build.closed_at }),
    steps: build.steps,
  };
}

/** One run's history so far. */
export async function readBuildHistory(services: Services, workflowId: string, runId: string): Promise<BuildHistory> {
  const build = newBuildHistory();
  const reader = services.payloadsOf(workflowId);
  for await (const event of historyEvents(services, { workflowId, runId }, { follow: false })) {
    await takeEvent(build, event, reader);
  }
  return build;
}

/** What the runs before have of the steps: all but the polls. Nothing, where Temporal has let go of them. */
export async function addEarlierSteps(services: Services, workflowId: string, build: BuildHistory): Promise<void> {
  if (build.continued === undefined || build.job_id === undefined) return;
  const first = newBuildHistory();
  try {
    const events = historyEvents(services, { workflowId, runId: build.job_id }, { follow: false });
    for await (const event of events) {
      await takeEvent(first, event, services.payloadsOf(workflowId));
      if (first.current?.step === WAIT_SUMMARY) break;
    }
  } catch (err) {
    if (err instanceof WorkflowNotFoundError) return;
    throw err;
  }
  build.steps.unshift(...first.steps.filter(({ step }) => step !== WAIT_SUMMARY));
  if (first.build_id !== undefined) build.build_id ??= first.build_id;
}

/** The execution that a command is about, the latest run of it; `undefined` where Temporal does not know it. */
export async function describeExecution(
  services: Services,
  { workflowId, jobId }: Target,
): Promise<WorkflowExecutionDescription | undefined> {
  if (jobId === undefined) return describeBuild(services, workflowId);
  return (await findJob(services, jobId, workflowId)).execution?.description;
}

/** Temporal no longer has the execution, or never had: the records are all there is. */
async function viewOfRecord(services: Services, target: Target): Promise<BuildView | undefined> {
  const record = await readRecord(services, target);
  if (record !== undefined && (target.jobId === undefined || record.job_id === target.jobId)) {
    return viewOf(target, record);
  }
  return target.history && viewOf(target, target.history);
}

async function readRecord(services: Services, target: Target): Promise<ReadStatusRecord | undefined> {
  const key = parseRoleBuildId(target.workflowId);
  if (key === undefined) return undefined;
  return services.dynamoDb(() =>
    readStatusRecord(services.tables, { account_id: key.accountId, resource: key.resource }),
  );
}

/** A step that is being tried again says why, which the history does not. */
function waitingFor({ raw }: WorkflowExecutionDescription, build: BuildHistory): Partial<BuildView> {
  const [pending] = raw.pendingActivities ?? [];
  const attempts = pending?.attempt ?? 1;
  const steps = build.steps.map((step) => (step.state === 'running' ? { ...step, attempts } : step));
  if (pending?.lastFailure?.message === undefined || pending.lastFailure.message === null) return { steps };
  return { attempts, last_failure: pending.lastFailure.message, steps };
}

/** @throws CliError `notFound` */
export function orNotFound<T>(view: T | undefined, target: Target): T {
  if (view === undefined) throw notFound(target.name);
  return view;
}
