/** What one run's events prove about its job: which records it wrote, whether the build was triggered, how it was decided. */
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

/** How a job ended, as its records must tell it. */
export interface End {
  status: EndStatus;
  build_id?: string | undefined;
  error_info?: ErrorInfo | undefined;
  directory_group?: DirectoryGroup | undefined;
}

export interface Trace {
  build: BuildState;
  /** The records that the events show it has put. */
  written: Set<Table>;
  /** Whether a POST may have been sent. */
  triggered: boolean;
  /** The end that was decided; its final record updates had begun, or would have next. */
  decided?: End;
  group_sent_to?: DirectoryServer;
  /** As its start says it, if it resumes one. */
  previous_jobs?: PreviousJob[] | undefined;
  /** The step that it was in, by its name in the Step Functions state machine. */
  step?: string;
  /** Why it may not have put what it says. */
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
  /** The names of activities, by their events. */
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
  if (event.workflowExecutionStartedEventAttributes) {
    const [, given] = await reader.values(event.workflowExecutionStartedEventAttributes.input?.payloads);
    // A run that was handed something knows of a POST by another run, of which its own events say nothing.
    if (given !== undefined && given !== null) trace.triggered = true;
    takeCarried(trace, event, given);
  } else if (event.activityTaskScheduledEventAttributes) {
    const { activityType, input } = event.activityTaskScheduledEventAttributes;
    const name = activityType?.name ?? '';
    activities.set(String(event.eventId), name);
    if (name === 'triggerBuild') trace.triggered = true;
    const status = FINAL_UPDATES.get(name);
    if (status === undefined || trace.decided !== undefined) return;
    const [end, error] = (await reader.values(input?.payloads)) as [object?, unknown?];
    const { build_id, error_info, directory_group } = endAttributesOf({ ...end, error_info: error });
    if (status === 'FAILED' && error_info === undefined) return;
    trace.decided = { status, build_id, error_info, directory_group };
  } else if (event.activityTaskCompletedEventAttributes) {
    const { scheduledEventId, result } = event.activityTaskCompletedEventAttributes;
    const table = PUTS.get(activities.get(String(scheduledEventId)) ?? '');
    if (table === undefined) return;
    const [heldByAnother] = await reader.values(result?.payloads);
    if (heldByAnother === undefined || heldByAnother === null) trace.written.add(table);
  } else if (event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes) {
    const { failure } = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes ?? {};
    const { applicationFailureInfo: failed, timeoutFailureInfo: late } = failure ?? {};
    const [sentTo] = await reader.values((failed?.details ?? late?.lastHeartbeatDetails)?.payloads);
    if (isDirectoryServer(sentTo)) trace.group_sent_to = sentTo;
  } else if (event.markerRecordedEventAttributes) {
    const answer = (await pollIn(event.markerRecordedEventAttributes, reader))?.answer;
    const end = answer && trace.build.build_id && endOfAnswer(trace.build.build_id, answer);
    if (end && !needsGroup(trace, end)) trace.decided ??= end;
  } else if (event.workflowTaskFailedEventAttributes?.newRunId) {
    // A reset: these events leave out what the run did, from which it was taken, after the point of the reset.
    trace.triggered = true;
  } else if (event.workflowExecutionTerminatedEventAttributes) {
    const { identity, reason } = event.workflowExecutionTerminatedEventAttributes;
    trace.terminatedBy = `${identity || 'someone unnamed'}${reason ? ` ("${reason}")` : ''}`;
  }
}

/** A role that is built is only half of a request that asks for its group too. */
export function needsGroup({ build }: Trace, { status }: End): boolean {
  return status === 'COMPLETE' && build.input?.directory_group === true;
}

/** What the run before this one, or the job that this one resumes, had proved. */
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

/** The end that an answer of the build API decides, if it does. */
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
