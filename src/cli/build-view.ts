/** One build as a command shows it: the record where there is one, Temporal's history where there is more to say. */
import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import { CONTESTED_MEMO, parseRoleBuildId } from '../contract.ts';
import { readStatusRecord, type StatusRecord } from '../records/status-table.ts';
import { newBuildHistory, recordOf, takeEvent, type BuildHistory } from './build-history.ts';
import { CliError } from './errors.ts';
import { historyEvents } from './history-events.ts';
import type { Services } from './services.ts';
import type { Target } from './target.ts';

/** The status record's attributes and what Temporal adds to them. */
export interface BuildView extends Record<string, unknown> {
  workflow_id: string;
  job_id?: string;
  status: string;
  /** Temporal's word for the execution, where Temporal still has it. */
  execution_status?: string;
  contested?: boolean;
  step?: string;
  polls?: number;
  last_status?: string;
  next_poll_at?: string;
  next_attempt_at?: string;
}

/** @returns the build, or `undefined` where neither Temporal nor the table knows it */
export async function viewBuild(services: Services, target: Target): Promise<BuildView | undefined> {
  const execution = await describeExecution(services, target);
  if (execution === undefined) return viewOfRecord(services, target);

  const build = await readBuildHistory(services, target.workflowId, execution.runId);
  if (execution.status.name === 'RUNNING') {
    return {
      ...viewOfTemporal(target.workflowId, build),
      execution_status: 'RUNNING',
      ...(await waitingFor(execution)),
    };
  }
  const record = await readRecord(services, target);
  const isOurs = record?.job_id === build.job_id;
  const isNewer =
    record !== undefined && !isOurs && target.jobId === undefined && record.start_at > (build.start_at ?? '');
  if (record !== undefined && isNewer) return { workflow_id: target.workflowId, ...record };
  return {
    ...viewOfTemporal(target.workflowId, build),
    ...(isOurs ? record : {}),
    execution_status: execution.status.name,
    ...(execution.memo?.[CONTESTED_MEMO] === true ? { contested: true } : {}),
  };
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

/** The execution that a command is about, the latest run of it; `undefined` where Temporal does not know it. */
export async function describeExecution(
  services: Services,
  target: Target,
): Promise<WorkflowExecutionDescription | undefined> {
  const { client } = services;
  try {
    const latest = await services.temporal(() => client.workflow.getHandle(target.workflowId).describe());
    if (target.jobId === undefined || latest.raw.workflowExecutionInfo?.firstRunId === target.jobId) return latest;
    const runId = target.runId ?? target.jobId;
    return await services.temporal(() => client.workflow.getHandle(target.workflowId, runId).describe());
  } catch (err) {
    if (err instanceof WorkflowNotFoundError) return undefined;
    throw err;
  }
}

/** Temporal no longer has the execution, or never had: the records are all there is. */
async function viewOfRecord(services: Services, target: Target): Promise<BuildView | undefined> {
  const record = await readRecord(services, target);
  if (record !== undefined && (target.jobId === undefined || record.job_id === target.jobId)) {
    return { workflow_id: target.workflowId, ...record };
  }
  return target.history === undefined ? undefined : { workflow_id: target.workflowId, ...target.history };
}

async function readRecord(services: Services, target: Target): Promise<StatusRecord | undefined> {
  const key = parseRoleBuildId(target.workflowId);
  if (key === undefined) return undefined;
  return services.dynamoDb(() =>
    readStatusRecord(services.tables, { account_id: key.accountId, resource: key.resource }),
  );
}

/** A step that is being tried again says why, which the history does not. */
async function waitingFor({ raw }: WorkflowExecutionDescription): Promise<Partial<BuildView>> {
  const [pending] = raw.pendingActivities ?? [];
  if (pending?.lastFailure?.message === undefined || pending.lastFailure.message === null) return {};
  return { attempts: pending.attempt ?? 1, last_failure: pending.lastFailure.message };
}

/** @throws CliError `notFound` */
export function orNotFound<T>(view: T | undefined, target: Target): T {
  if (view === undefined) throw new CliError('notFound', `no build found for ${target.name}`);
  return view;
}
