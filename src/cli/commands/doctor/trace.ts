/** Reads what one run's events prove about its job: which records it wrote, whether it sent a POST, how it ended. */
import {
  checkBuildStatus,
  generateBuildStatusErrorMessage,
  type BuildStatusAnswer,
} from '../../../domain/build-status.ts';
import { isDirectoryServer, type DirectoryGroup, type DirectoryServer } from '../../../domain/directory-group.ts';
import type { ErrorInfo } from '../../../domain/failures.ts';
import { newProgress } from '../../../domain/progress.ts';
import type { EndStatus } from '../../../domain/record-status.ts';
import { isResumption, type PreviousJob } from '../../../domain/resumption.ts';
import type { Table } from '../../../records/items.ts';
import { endAttributesOf } from '../../build/outcome.ts';
import { pollIn } from '../../build/poll.ts';
import { carriedBy, newBuildState, takeEvent, type BuildState, type HistoryEvent } from '../../build/state.ts';
import type { PayloadReader } from '../../temporal/payloads.ts';

/** A job's end, as its records should tell it. */
export interface End {
  status: EndStatus;
  build_id?: string | undefined;
  error_info?: ErrorInfo | undefined;
  directory_group?: DirectoryGroup | undefined;
}

export interface Trace {
  build: BuildState;
  /** The records that it has put, according to the events. */
  written: Set<Table>;
  /** Whether a POST may have been sent. */
  triggered: boolean;
  /** The end that was decided. The final record updates have begun, or were about to. */
  decided?: End | undefined;
  group_sent_to?: DirectoryServer;
  /** From its start, if it resumes another job. */
  previous_jobs?: PreviousJob[] | undefined;
  /** Its last step, by the state's name in the Step Functions state machine. */
  step?: string;
  /** Why it may not have put the records. */
  doubt?: string;
  terminatedBy?: string;
}

const PUTS = new Map<string, Table>([
  ['upsertRequestRecord', 'status'],
  ['insertRequestHistory', 'history'],
]);
const FINAL_UPDATES = new Map<string, EndStatus>([
  ['updateSuccessfulRecord', 'COMPLETE'],
  ['updateSuccessfulHistory', 'COMPLETE'],
  ['updateFailedRecord', 'FAILED'],
  ['updateFailedHistory', 'FAILED'],
  ['updateCancelledRecord', 'CANCELLED'],
  ['updateCancelledHistory', 'CANCELLED'],
]);

export async function traceOf(events: AsyncIterable<HistoryEvent>, reader: PayloadReader): Promise<Trace> {
  const trace: Trace = { build: newBuildState(), written: new Set(), triggered: false };
  /** The names of activities, by the IDs of their scheduled events. */
  const activities = new Map<string, string>();
  for await (const event of events) {
    await takeEvent(trace.build, event, reader);
    await takeProof(trace, event, activities, reader);
    const step = trace.build.current?.step;
    if (step !== undefined) trace.step = step;
  }
  return trace;
}

async function takeProof(
  trace: Trace,
  event: HistoryEvent,
  activities: Map<string, string>,
  reader: PayloadReader,
): Promise<void> {
  const started = event.workflowExecutionStartedEventAttributes;
  const scheduled = event.activityTaskScheduledEventAttributes;
  const completed = event.activityTaskCompletedEventAttributes;
  const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
  const marker = event.markerRecordedEventAttributes;
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (started) {
    const [, given] = await reader.values(started.input?.payloads);
    // Another run handed this one its progress or a resumption, so a POST may have been made in that run.
    if (given !== undefined && given !== null) trace.triggered = true;
    takeCarried(trace, event, given);
  } else if (scheduled) {
    const name = scheduled.activityType?.name ?? '';
    activities.set(String(event.eventId), name);
    if (name === 'triggerBuild') trace.triggered = true;
    const status = FINAL_UPDATES.get(name);
    if (status !== undefined) trace.decided ??= endWritten(status, await reader.values(scheduled.input?.payloads));
  } else if (completed) {
    const table = PUTS.get(activities.get(String(completed.scheduledEventId)) ?? '');
    if (table === undefined) return;
    const [heldByAnother] = await reader.values(completed.result?.payloads);
    if (heldByAnother === undefined || heldByAnother === null) trace.written.add(table);
  } else if (failed) {
    const { applicationFailureInfo, timeoutFailureInfo } = failed.failure ?? {};
    const details = applicationFailureInfo?.details ?? timeoutFailureInfo?.lastHeartbeatDetails;
    const [sentTo] = await reader.values(details?.payloads);
    if (isDirectoryServer(sentTo)) trace.group_sent_to = sentTo;
  } else if (marker) {
    const answer = (await pollIn(marker, reader))?.answer;
    const end = answer && trace.build.build_id && endOfAnswer(trace.build.build_id, answer);
    if (end && !needsGroup(trace, end)) trace.decided ??= end;
  } else if (event.workflowTaskFailedEventAttributes?.newRunId) {
    // A reset: the events of the old run after the reset point are missing here, and may include the POST.
    trace.triggered = true;
  } else if (terminated) {
    const { identity, reason } = terminated;
    trace.terminatedBy = `${identity || 'someone unnamed'}${reason ? ` ("${reason}")` : ''}`;
  }
}

/** Returns the end that a final record update was asked to write; `undefined` if its arguments are malformed. */
function endWritten(status: EndStatus, [end, error]: readonly unknown[]): End | undefined {
  const { build_id, error_info, directory_group } = endAttributesOf({ ...(end as object), error_info: error });
  if (status === 'FAILED' && error_info === undefined) return undefined;
  return { status, build_id, error_info, directory_group };
}

/** Whether the end is only half of the request, because the group that it asks for is missing. */
export function needsGroup({ build }: Trace, { status }: End): boolean {
  return status === 'COMPLETE' && build.input?.directory_group === true;
}

/** Takes in what the previous run, or the job that this one resumes, has proved. */
function takeCarried(trace: Trace, event: HistoryEvent, given: unknown): void {
  const resumption = isResumption(given) ? given : undefined;
  const carried = carriedBy(event, given) ?? newProgress('', 'absent', resumption);
  const { record, ending, build_id, directory_group, group_sent_to } = carried;
  trace.previous_jobs = carried.resumption?.previous_jobs;
  if (group_sent_to !== undefined) trace.group_sent_to = group_sent_to;
  if (record === 'written') trace.written.add('status');
  if (record === 'written' && build_id !== undefined) trace.written.add('history');
  const error_info = ending?.status === 'FAILED' ? ending.error_info : undefined;
  if (ending !== undefined) trace.decided = { status: ending.status, build_id, error_info, directory_group };
}

/** Returns the end that the build API's answer decides, if any. */
export function endOfAnswer(build_id: string, answer: BuildStatusAnswer): End | undefined {
  switch (checkBuildStatus(answer)) {
    case 'deferred':
    case 'undecided':
      return undefined;
    case 'succeeded':
      return { status: 'COMPLETE', build_id };
    case 'failed':
      return { status: 'FAILED', build_id, error_info: generateBuildStatusErrorMessage(build_id, answer) };
  }
}
