/** Reads every build from Temporal's histories: the truth with which the records are compared. */
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Written } from '../../src/activities/types.ts';
import { ROLE_BUILD_WORKFLOW_TYPE, type RoleBuildOutcome } from '../../src/contract.ts';
import type { BuildStatusAnswer } from '../../src/domain/build-status.ts';
import type { EndStatus } from '../../src/domain/record-status.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payloads = temporal.api.common.v1.IPayloads | null | undefined;

/** One job: a workflow and the runs as which it continued. */
export interface Job {
  job_id: string;
  workflow_id: string;
  input: RoleBuildInput;
  start_at: string;
  startedMs: number;
  /** `undefined` while it runs. */
  closedMs: number | undefined;
  /** How the workflow ended; `undefined` if Temporal ended it, or while it runs. */
  end: EndStatus | undefined;
  /** The status by Temporal's name. */
  closedAs: string;
  outcome: RoleBuildOutcome | undefined;
  failure: { type: string; message: string } | undefined;
  /** The result of the first put that the workflow got: `null` if it was made. */
  upserted: Written | undefined;
  build_id: string | undefined;
  /** Every answer to a poll that the workflow got. */
  answers: BuildStatusAnswer[];
  cancelRequested: boolean;
  /** Activities that were scheduled after the request to cancel the workflow. */
  scheduledAfterCancel: string[];
  triggerScheduled: number;
}

export async function readJobs(client: Client): Promise<Job[]> {
  const jobs = new Map<string, Job>();
  const runs: { workflowId: string; runId: string; startMs: number }[] = [];
  const query = `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`;
  for await (const { workflowId, runId, startTime } of client.workflow.list({ query })) {
    runs.push({ workflowId, runId, startMs: startTime.getTime() });
  }
  // In order, so that the runs of a job are read one after the other.
  for (const { workflowId, runId } of runs.sort((a, b) => a.startMs - b.startMs)) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const names = new Map<string, string>();
    let job: Job | undefined;
    for (const event of events ?? []) {
      job ??= jobOf(jobs, workflowId, event);
      takeEvent(job, names, event);
    }
  }
  return [...jobs.values()];
}

function jobOf(jobs: Map<string, Job>, workflow_id: string, first: HistoryEvent): Job {
  const started = first.workflowExecutionStartedEventAttributes;
  const job_id = started?.firstExecutionRunId ?? '';
  const startedMs = msOf(first);
  const job: Job = jobs.get(job_id) ?? {
    job_id,
    workflow_id,
    input: decode<RoleBuildInput>(started?.input)[0] as RoleBuildInput,
    start_at: new Date(startedMs).toISOString(),
    startedMs,
    closedMs: undefined,
    end: undefined,
    closedAs: 'RUNNING',
    outcome: undefined,
    failure: undefined,
    upserted: undefined,
    build_id: undefined,
    answers: [],
    cancelRequested: false,
    scheduledAfterCancel: [],
    triggerScheduled: 0,
  };
  jobs.set(job_id, job);
  return job;
}

function takeEvent(job: Job, names: Map<string, string>, event: HistoryEvent): void {
  const scheduled = event.activityTaskScheduledEventAttributes;
  const completed = event.activityTaskCompletedEventAttributes;
  const marker = event.markerRecordedEventAttributes;
  if (scheduled) {
    const name = scheduled.activityType?.name ?? '';
    names.set(String(event.eventId), name);
    if (job.cancelRequested) job.scheduledAfterCancel.push(name);
    if (name === 'triggerBuild') job.triggerScheduled += 1;
  } else if (completed) {
    const name = names.get(String(completed.scheduledEventId));
    const [result] = decode<unknown>(completed.result);
    if (name === 'upsertRequestRecord') job.upserted = result as Written;
    if (name === 'triggerBuild') job.build_id = (result as { build_id: string }).build_id;
  } else if (marker) {
    // The check of a resumption is a local activity too.
    const [note] = decode<{ activity_type?: string }>(marker.details?.['data']);
    const [answer] = decode<BuildStatusAnswer>(marker.details?.['result']);
    if (note?.activity_type === 'getBuildStatus' && answer) job.answers.push(answer);
  } else if (event.workflowExecutionCancelRequestedEventAttributes) {
    job.cancelRequested = true;
  } else {
    takeClosingEvent(job, event);
  }
}

function takeClosingEvent(job: Job, event: HistoryEvent): void {
  const completed = event.workflowExecutionCompletedEventAttributes;
  const failed = event.workflowExecutionFailedEventAttributes;
  if (completed) {
    job.outcome = decode<RoleBuildOutcome>(completed.result)[0];
    job.end = job.outcome?.status;
    job.closedAs = 'COMPLETED';
  } else if (failed) {
    const info = failed.failure?.applicationFailureInfo;
    job.outcome = decode<RoleBuildOutcome>(info?.details)[0];
    job.failure = { type: info?.type ?? 'no type', message: failed.failure?.message ?? '' };
    job.end = 'FAILED';
    job.closedAs = 'FAILED';
  } else if (event.workflowExecutionCanceledEventAttributes) {
    job.end = 'CANCELLED';
    job.closedAs = 'CANCELED';
  } else if (event.workflowExecutionTerminatedEventAttributes) {
    job.closedAs = 'TERMINATED';
  } else if (event.workflowExecutionTimedOutEventAttributes) {
    job.closedAs = 'TIMED_OUT';
  } else {
    return;
  }
  job.closedMs = msOf(event);
}

function msOf(event: HistoryEvent): number {
  const { seconds, nanos } = event.eventTime ?? {};
  return Number(seconds ?? 0) * 1000 + Math.floor((nanos ?? 0) / 1e6);
}

function decode<T>(payloads: Payloads): T[] {
  return (payloads?.payloads ?? []).map(({ data }) => {
    const text = Buffer.from(data ?? []).toString('utf8');
    return (text === '' ? undefined : JSON.parse(text)) as T;
  });
}
