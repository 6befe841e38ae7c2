/** One build as a command shows it: from its record if there is one, and from Temporal's events if they tell more. */
import { CONTESTED_MEMO, parseRoleBuildId, WAIT_SUMMARY } from '../../contract.ts';
import { isOpen } from '../../domain/execution-status.ts';
import { defined } from '../../domain/defined.ts';
import { isEndStatus } from '../../domain/record-status.ts';
import type { ReadHistoryRecord } from '../../records/history-table.ts';
import type { ReadStatusRecord } from '../../records/status-table.ts';
import { notFound } from '../errors/cli-error.ts';
import { undefinedIf } from '../errors/expected.ts';
import type { Services } from '../services.ts';
import { statesOf } from './events.ts';
import { describeBuild, findJob, isUnknown, type Execution } from './find.ts';
import { nextStep, type NextStep } from './next-step.ts';
import { newBuildState, recordOf, type BuildState } from './state.ts';
import type { BuildStep } from './steps.ts';
import { recordUnder, type Target } from './target.ts';
import { pausedActivity, untakenTask, type PausedActivity, type UntakenTask } from './blocked.ts';

/** The JSON of `status`: the status record's attributes and what Temporal adds to them. */
export interface BuildView extends Record<string, unknown>, NextStep {
  workflow_id: string;
  job_id?: string;
  /** `UNKNOWN` if Temporal no longer has the execution and the record's status is odd. */
  status: string;
  /** What is odd about the record, by attribute. */
  odd_attributes?: Record<string, string>;
  /** Temporal's status of the execution, if Temporal still has it. */
  execution_status?: string;
  contested?: boolean;
  step?: string;
  polls?: number;
  last_status?: string;
  next_poll_at?: string;
  next_attempt_at?: string;
  /** In order; all polls are one step. Missing if Temporal no longer has the execution. */
  steps?: BuildStep[];
  closed_at?: string;
  /** A workflow task that no worker takes, or that keeps failing; absent if all is well. */
  untaken_workflow_task?: UntakenTask;
  /** A paused activity: no attempt is made until it is unpaused. */
  paused_activity?: PausedActivity;
  ui_url?: string;
}

/**
 * @param again whether this is the second look, because the build moved on between two reads of the first
 * @throws CliError `notFound` if neither Temporal nor the tables know the build
 */
export async function viewBuild(services: Services, target: Target, again = false): Promise<BuildView> {
  const { jobId } = target;
  const execution = await describeExecution(services, target.workflowId, jobId);
  const isRunning = execution !== undefined && isOpen(execution.status.name);
  const record = isRunning ? undefined : await recordUnder(services, target.workflowId);
  // Temporal no longer has the execution, or never had it, so the records are all there is.
  if (execution === undefined) {
    const isIt = record !== undefined && (jobId === undefined || record.job_id === jobId);
    const found = isIt ? record : target.history;
    if (found === undefined) throw notFound(target.name);
    // The build may have been started after Temporal was read.
    if (!again && found.status === 'IN_PROGRESS') return viewBuild(services, target, true);
    return viewOf(target, found);
  }
  const isGone = (err: unknown) => !again && isUnknown(err);
  const build = await undefinedIf(isGone, readBuildState(services, target.workflowId, execution.runId));
  const isNewer =
    jobId === undefined && record?.job_id !== build?.job_id && (record?.start_at ?? '') > (build?.start_at ?? '');
  const hasMovedOn = isRunning ? build?.closed !== undefined : isNewer;
  if (build === undefined || (!again && hasMovedOn)) return viewBuild(services, target, true);
  await addEarlierSteps(services, target.workflowId, build);
  if (record === undefined || record.job_id === build.job_id) {
    // The build has its end; a later run after a reset was refused and did not change that.
    if (isEndStatus(record?.status)) delete build.failure;
    return viewOfExecution(services, execution, build, record);
  }
  if (isNewer) return viewOf(target, record);
  // An odd record may not say which job it belongs to, or when that began.
  return viewOfExecution(services, execution, build, defined({ odd_attributes: record.odd_attributes }));
}

/** Returns a build that was followed to its end. Works even if the record can't be read. */
export function viewFollowed(services: Services, target: Target, build: BuildState): Promise<BuildView> {
  return viewBuild(services, target).catch((err: unknown) => {
    services.note(`role-build: the record can't be read: ${(err as Error).message}`);
    return viewOfTemporal(target.workflowId, build);
  });
}

/** Attributes that only Temporal can tell. If an item has one, it is ignored, because it would pass for Temporal's. */
const NOT_IN_RECORDS =
  /^(workflow_id|execution_status|contested|step|attempts|last_failure|polls|last_status|next_poll_at|next_attempt_at|steps|closed_at|resumes|untaken_workflow_task|paused_activity|move|next_command|ui_url)$/;

function attributesIn(record: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !NOT_IN_RECORDS.test(name)));
}

/** Returns what a record alone tells of a build. */
function viewOf({ workflowId }: Target, record: ReadStatusRecord | ReadHistoryRecord): BuildView {
  const view = { ...attributesIn(record), workflow_id: workflowId, status: record.status ?? 'UNKNOWN' };
  return { ...view, ...nextStep(view, undefined) };
}

/** @param record the build's own record, if it has ended and there is one */
export function viewOfExecution(
  services: Services,
  execution: Execution,
  build: BuildState,
  record: object = {},
): BuildView {
  const { workflowId, runId, status, memo } = execution;
  const view: BuildView = {
    ...viewOfTemporal(workflowId, build),
    ...attributesIn(record),
    execution_status: status.name,
    ...(isOpen(status.name) ? waitingFor(execution, build) : {}),
    ...(memo?.[CONTESTED_MEMO] === true ? { contested: true } : {}),
  };
  return { ...view, ...nextStep(view, build.input), ...defined({ ui_url: services.uiUrl(workflowId, runId) }) };
}

/** Returns what Temporal alone tells of a build. */
export function viewOfTemporal(workflowId: string, build: BuildState): BuildView {
  const { outcome, current, resumes, cancelled_by, last_status, next_poll_at, next_attempt_at, closed_at } = build;
  return {
    workflow_id: workflowId,
    ...parseRoleBuildId(workflowId),
    ...recordOf(build),
    contested: outcome?.contested ?? false,
    polls: outcome?.polls ?? build.polls,
    ...defined({ resumes, cancelled_by, step: current?.step, attempts: current?.attempts }),
    ...defined({ last_status, next_poll_at, next_attempt_at, closed_at }),
    steps: build.steps,
  };
}

export async function readBuildState(services: Services, workflowId: string, runId: string): Promise<BuildState> {
  let last = newBuildState();
  for await (const { build } of statesOf(services, { workflowId, runId })) last = build;
  return last;
}

/** Adds the steps of the earlier runs, except the polls; none if Temporal no longer has those runs. */
export async function addEarlierSteps(services: Services, workflowId: string, build: BuildState): Promise<void> {
  if (build.continued === undefined || build.job_id === undefined) return;
  let first = newBuildState();
  try {
    for await (const state of statesOf(services, { workflowId, runId: build.job_id })) {
      first = state.build;
      if (first.current?.step === WAIT_SUMMARY) break;
    }
  } catch (err) {
    if (isUnknown(err)) return;
    throw err;
  }
  build.steps.unshift(...first.steps.filter(({ step }) => step !== WAIT_SUMMARY));
  if (first.build_id !== undefined) build.build_id ??= first.build_id;
}

/**
 * Describes the latest run of the execution that a command is about; `undefined` if Temporal does not know it.
 *
 * @param jobId one job of the workflow ID; by default the last
 */
export async function describeExecution(
  services: Services,
  workflowId: string,
  jobId: string | undefined,
): Promise<Execution | undefined> {
  if (jobId === undefined) return describeBuild(services, workflowId);
  return (await findJob(services, jobId, workflowId)).execution;
}

/** Returns why a step is being tried again, which its events do not tell yet. */
function waitingFor(execution: Execution, build: BuildState): Partial<BuildView> {
  const [pending] = execution.raw.pendingActivities ?? [];
  const untaken = defined({
    untaken_workflow_task: untakenTask(execution),
    paused_activity: pausedActivity(execution),
  });
  const attempts = pending?.attempt ?? 1;
  const steps = build.steps.map((step) => (step.state === 'running' ? { ...step, attempts } : step));
  const last_failure = pending?.lastFailure?.message;
  return { ...untaken, ...(typeof last_failure === 'string' ? { attempts, last_failure, steps } : { steps }) };
}
