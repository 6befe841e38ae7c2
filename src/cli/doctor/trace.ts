/** What one run's history proves about its job: which puts were made, whether the build was triggered, how it was decided. */
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { temporal } from '@temporalio/proto';
import { STATE_NAMES } from '../../activities/types.ts';
import {
  checkBuildStatus,
  generateBuildStatusErrorMessage,
  type BuildStatusAnswer,
} from '../../domain/build-status.ts';
import type { ErrorInfo } from '../../domain/failures.ts';
import type { Progress } from '../../domain/progress.ts';
import type { EndStatus } from '../../domain/record-status.ts';
import type { Table } from '../../records/items.ts';
import { carriedBy, newBuildHistory, takeEvent, type BuildHistory, type PayloadReader } from '../build-history.ts';
import { pollIn } from '../poll.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payload = temporal.api.common.v1.IPayload;

/** How a job ended, as its records must tell it. */
export interface End {
  status: EndStatus;
  build_id?: string;
  error_info?: ErrorInfo;
}

/** `tried`: the answer is not known, or it failed. `refused`: another job held the record. */
export type Put = 'absent' | 'tried' | 'written' | 'refused';

export interface Trace {
  build: BuildHistory;
  puts: Record<Table, Put>;
  /** Whether a POST may have been sent. */
  triggered: boolean;
  /** The end that was decided; its last writes had begun, or would have next. */
  decided?: End;
  /** The step that it was in, as the original names it. */
  step?: string;
  /** How it closed otherwise than by its own doing, as the end of a sentence about the workflow. */
  closedHow?: string;
}

const PUTS = new Map<string, Table>([
  ['upsertRequestRecord', 'status'],
  ['insertRequestHistory', 'history'],
]);
const LAST_WRITES = new Map<string, EndStatus>([
  ['updateSuccessfulRecord', 'COMPLETE'],
  ['updateSuccessfulHistory', 'COMPLETE'],
  ['updateFailedRecord', 'FAILED'],
  ['updateFailedHistory', 'FAILED'],
  ['updateCancelledRecord', 'CANCELLED'],
  ['updateCancelledHistory', 'CANCELLED'],
]);

/** Reads a run's events into what they prove. */
export async function traceOf(events: AsyncIterable<HistoryEvent>, reader: PayloadReader): Promise<Trace> {
  const trace: Trace = { build: newBuildHistory(), puts: { status: 'absent', history: 'absent' }, triggered: false };
  const activities = new Map<string, string>();
  for await (const event of events) {
    await takeEvent(trace.build, event, reader);
    await takeProof(trace, event, activities, (payloads) =>
      decodeArrayFromPayloads(reader.converter, payloads, reader.context),
    );
    const how = closedHow(event);
    if (how !== undefined) trace.closedHow = how;
    const step = trace.build.current?.step;
    if (step !== undefined) trace.step = step;
  }
  return trace;
}

async function takeProof(
  trace: Trace,
  event: HistoryEvent,
  activities: Map<string, string>,
  decode: (payloads: Payload[] | null | undefined) => Promise<unknown[]>,
): Promise<void> {
  if (event.workflowExecutionStartedEventAttributes) {
    const { input } = event.workflowExecutionStartedEventAttributes;
    const [, given] = await decode(input?.payloads);
    // A run that was handed something knows of a POST by another; what became of that is not in its own history.
    if (given !== undefined && given !== null) trace.triggered = true;
    const carried = carriedBy(event, given);
    if (carried !== undefined) takeCarried(trace, carried);
  } else if (event.activityTaskScheduledEventAttributes) {
    const { activityType, input } = event.activityTaskScheduledEventAttributes;
    const name = activityType?.name ?? '';
    activities.set(String(event.eventId), name);
    const put = PUTS.get(name);
    if (put !== undefined) trace.puts[put] = 'tried';
    if (name === 'triggerBuild') trace.triggered = true;
    const status = LAST_WRITES.get(name);
    if (status !== undefined) {
      const [end, error_info] = (await decode(input?.payloads)) as [{ build_id?: string }?, ErrorInfo?];
      trace.decided ??= endOf(status, end?.build_id, error_info);
    }
  } else if (event.workflowTaskFailedEventAttributes?.newRunId) {
    // A reset: what the run did that it was taken from, after the point it was reset to, is not in this history.
    trace.triggered = true;
  } else if (event.activityTaskCompletedEventAttributes) {
    const { scheduledEventId, result } = event.activityTaskCompletedEventAttributes;
    const put = PUTS.get(activities.get(String(scheduledEventId)) ?? '');
    if (put !== undefined)
      trace.puts[put] = ((await decode(result?.payloads))[0] ?? null) === null ? 'written' : 'refused';
  } else if (event.markerRecordedEventAttributes) {
    const answer = (await pollIn(event, decode))?.answer;
    const { build_id } = trace.build;
    if (answer !== undefined && build_id !== undefined) {
      const end = endOfAnswer(build_id, answer);
      if (end !== undefined) trace.decided ??= end;
    }
  }
}

function takeCarried(trace: Trace, carried: Progress): void {
  if (carried.record === 'written') trace.puts.status = 'written';
  else if (carried.record === 'contested') trace.puts.status = 'refused';
  else if (carried.record === 'unknown') trace.puts.status = 'tried';
  if (carried.record === 'written') trace.puts.history = carried.build_id === undefined ? 'tried' : 'written';
  const { ending, build_id } = carried;
  const error_info = ending?.status === 'FAILED' ? ending.error_info : undefined;
  if (ending !== undefined) trace.decided = endOf(ending.status, build_id, error_info);
}

/** The end that an answer of the build API decides, if it does. */
export function endOfAnswer(buildId: string, answer: BuildStatusAnswer): End | undefined {
  switch (checkBuildStatus(answer)) {
    case 'put off':
    case 'undecided':
      return undefined;
    case 'succeeded':
      return endOf('COMPLETE', buildId);
    case 'failed':
      return endOf('FAILED', buildId, generateBuildStatusErrorMessage(buildId, answer));
  }
}

export function endOf(status: EndStatus, build_id?: string, error_info?: ErrorInfo): End {
  return {
    status,
    ...(build_id === undefined ? {} : { build_id }),
    ...(error_info === undefined ? {} : { error_info }),
  };
}

function closedHow(event: HistoryEvent): string | undefined {
  if (event.workflowExecutionTerminatedEventAttributes) {
    const { identity, reason } = event.workflowExecutionTerminatedEventAttributes;
    return `was terminated by ${identity || 'someone unnamed'}${reason ? ` ("${reason}")` : ''}`;
  }
  if (event.workflowExecutionTimedOutEventAttributes) return 'timed out';
  if (event.workflowExecutionContinuedAsNewEventAttributes) return 'went on in a run that Temporal no longer has';
  return undefined;
}

/** The step in which a job was lost. */
export function stepOf(trace: Trace | undefined): string {
  return trace?.step ?? STATE_NAMES.upsertRequestRecord;
}
