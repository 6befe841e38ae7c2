/**
 * Reads what a build has done so far from its workflow's history events. That needs no worker, and works as long as
 * Temporal keeps the history.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { stateNameOf, STATE_NAMES } from '../../activities/types.ts';
import {
  OWN_CANCELLATION_REASON,
  retriedState,
  WAIT_SUMMARY,
  workflowIdOf,
  type RoleBuildOutcome,
} from '../../contract.ts';
import { takePoll } from '../../domain/build-status.ts';
import { defined } from '../../domain/defined.ts';
import { isFailureName, type ErrorInfo } from '../../domain/failures.ts';
import { progressFaults, type Progress } from '../../domain/progress.ts';
import type { RecordStatus } from '../../domain/record-status.ts';
import { isResumption } from '../../domain/resumption.ts';
import { statusAttributesOf, type RoleBuildInput } from '../../domain/role-build-input.ts';
import type { PayloadReader } from '../temporal/payloads.ts';
import { outcomeOf } from './outcome.ts';
import { pollIn } from './poll.ts';
import { noteStep, type BuildStep, type Now } from './steps.ts';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const CLOSING_EVENTS = [
  ['workflowExecutionCompletedEventAttributes', 'COMPLETED'],
  ['workflowExecutionFailedEventAttributes', 'FAILED'],
  ['workflowExecutionCanceledEventAttributes', 'CANCELED'],
  ['workflowExecutionTerminatedEventAttributes', 'TERMINATED'],
  ['workflowExecutionTimedOutEventAttributes', 'TIMED_OUT'],
  ['workflowExecutionContinuedAsNewEventAttributes', 'CONTINUED_AS_NEW'],
] as const satisfies (readonly [keyof HistoryEvent, string])[];

/** Returns how a run closed, in Temporal's words, if this event closed it. */
export function closedAs(event: HistoryEvent | undefined) {
  return CLOSING_EVENTS.find(([attributes]) => event?.[attributes])?.[1];
}

export interface BuildState extends Now {
  /** The run that these events belong to. */
  run_id?: string;
  workflow_id?: string;
  job_id?: string;
  start_at?: string;
  input?: RoleBuildInput;
  build_id?: string;
  /** The job that this one resumes. */
  resumes?: string;
  cancelled_by?: string;
  /** The last event that was taken in. */
  event_id: number;
  /** All steps of this run so far; all polls are one step. */
  steps: BuildStep[];
  /** The run continues an earlier one, which has the first steps. */
  continued?: true;
  closed?: NonNullable<ReturnType<typeof closedAs>>;
  closed_at?: string;
  /** The next run after `CONTINUED_AS_NEW`. */
  next_run_id?: string;
  outcome?: RoleBuildOutcome;
  /** Why the build failed, if no outcome says so: its input was refused, or the workflow failed otherwise. */
  failure?: { Error: string; Cause: string };
}

export function newBuildState(): BuildState {
  return { polls: 0, event_id: 0, steps: [] };
}

/** Takes in one event. @returns whether people want to see the change */
export async function takeEvent(build: BuildState, event: HistoryEvent, reader: PayloadReader): Promise<boolean> {
  const isWorthSeeing = await takeIn(build, event, reader);
  noteStep(build.steps, build);
  build.event_id = Number(event.eventId ?? 0);
  return isWorthSeeing;
}

async function takeIn(build: BuildState, event: HistoryEvent, reader: PayloadReader): Promise<boolean> {
  const at = timeOf(event);
  const { current } = build;
  const started = event.workflowExecutionStartedEventAttributes;
  if (started) return takeStart(build, event, started, reader);
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled) {
    stopWaiting(build);
    build.current = { step: stateNameOf(scheduled.activityType?.name ?? ''), state: 'scheduled', at, attempts: 1 };
    return true;
  }
  const attempt = event.activityTaskStartedEventAttributes;
  if (attempt && current !== undefined) current.attempts = attempt.attempt ?? 1;
  const completed = event.activityTaskCompletedEventAttributes;
  if (completed && current !== undefined) {
    build.current = { ...current, state: 'done', at };
    if (current.step === STATE_NAMES.triggerBuild) {
      const [result] = (await reader.values(completed.result?.payloads)) as [{ build_id: string }?];
      if (typeof result?.build_id === 'string') build.build_id = result.build_id;
    }
    return true;
  }
  const canceled = event.activityTaskCanceledEventAttributes;
  const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
  if (failed || canceled) {
    const failure = canceled ? 'cancelled' : messageOf(await reader.failure(failed?.failure));
    if (current !== undefined) build.current = { ...current, state: 'failed', at, ...defined({ failure }) };
    return true;
  }
  const timer = event.timerStartedEventAttributes;
  if (timer) return takeTimer(build, event, timer, reader);
  const marker = event.markerRecordedEventAttributes;
  if (marker) return takeMarker(build, marker, at, reader);
  const cancel = event.workflowExecutionCancelRequestedEventAttributes;
  if (cancel?.identity && cancel.cause !== OWN_CANCELLATION_REASON) build.cancelled_by ??= cancel.identity;
  return takeClosingEvent(build, event, reader);
}

type Attributes<Name extends keyof HistoryEvent> = NonNullable<HistoryEvent[Name]>;

async function takeStart(
  build: BuildState,
  event: HistoryEvent,
  started: Attributes<'workflowExecutionStartedEventAttributes'>,
  reader: PayloadReader,
): Promise<boolean> {
  const [input, handed] = await reader.values(started.input?.payloads);
  const progress = carriedBy(event, handed);
  const resumption = progress === undefined && isResumption(handed) ? handed : progress?.resumption;
  Object.assign(
    build,
    defined({
      job_id: started.firstExecutionRunId ?? '',
      start_at: progress?.start_at ?? timeOf(event),
      polls: progress?.polls ?? 0,
      last_status: progress?.last_status,
      build_id: progress?.build_id ?? resumption?.build_id,
      resumes: resumption?.resumes,
      continued: progress === undefined ? undefined : true,
    }),
  );
  if (looksLikeInput(input)) {
    build.input = input;
    build.workflow_id = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
  }
  return progress === undefined;
}

/** Takes in the wait for a poll, or for another round of a final record update. Ignores other timers. */
async function takeTimer(
  build: BuildState,
  event: HistoryEvent,
  { startToFireTimeout }: Attributes<'timerStartedEventAttributes'>,
  reader: PayloadReader,
): Promise<boolean> {
  const at = timeOf(event);
  const { seconds, nanos } = startToFireTimeout ?? {};
  const until = new Date(Date.parse(at) + Number(seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6).toISOString();
  const summary = event.userMetadata?.summary;
  const [text] = await reader.values(summary ? [summary] : []);
  if (text === WAIT_SUMMARY) {
    stopWaiting(build);
    build.next_poll_at = until;
    build.current = { step: WAIT_SUMMARY, state: 'scheduled', at, attempts: 1 };
    return true;
  }
  const retried = retriedState(text);
  if (retried === undefined) return false;
  build.next_attempt_at = until;
  const failure = build.current?.step === retried ? build.current.failure : undefined;
  build.current = { step: retried, state: 'failed', at, attempts: 3, ...defined({ failure }) };
  return true;
}

/** Takes in a poll that has ended, whose local activity is a marker. */
async function takeMarker(
  build: BuildState,
  marker: Attributes<'markerRecordedEventAttributes'>,
  at: string,
  reader: PayloadReader,
): Promise<boolean> {
  const poll = await pollIn(marker, reader);
  if (poll === undefined || (poll.answer !== undefined && takePoll(build, poll.answer) === 'deferred')) return false;
  const { attempts, backoffMs } = poll;
  const failure = messageOf(await reader.failure(poll.failure));
  stopWaiting(build);
  if (backoffMs !== undefined) build.next_attempt_at = new Date(Date.parse(at) + backoffMs).toISOString();
  const state = poll.failure === undefined ? 'done' : 'failed';
  build.current = { step: STATE_NAMES.getBuildStatus, state, at, attempts, ...defined({ failure }) };
  return true;
}

function stopWaiting(build: BuildState): void {
  delete build.next_poll_at;
  delete build.next_attempt_at;
}

/** Returns what the previous run handed to this one; `undefined` if it is not valid: the workflow refuses it then. */
export function carriedBy(event: HistoryEvent, handed: unknown): Progress | undefined {
  const isContinued = Boolean(event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId);
  return isContinued && progressFaults(handed, timeOf(event)).length === 0 ? (handed as Progress) : undefined;
}

async function takeClosingEvent(build: BuildState, event: HistoryEvent, reader: PayloadReader): Promise<boolean> {
  const closed = closedAs(event);
  if (closed === undefined) return false;
  build.closed = closed;
  if (closed === 'CONTINUED_AS_NEW') {
    build.next_run_id = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? '';
    return false;
  }
  let outcome: unknown;
  if (closed === 'COMPLETED') {
    [outcome] = await reader.values(event.workflowExecutionCompletedEventAttributes?.result?.payloads);
  } else if (closed === 'FAILED') {
    const failure = await reader.failure(event.workflowExecutionFailedEventAttributes?.failure);
    const type = failure instanceof ApplicationFailure ? (failure.type ?? 'Error') : (failure?.name ?? 'Error');
    build.failure = { Error: type, Cause: failure?.message ?? '' };
    if (failure instanceof ApplicationFailure && isFailureName(type)) [outcome] = failure.details ?? [];
  }
  Object.assign(build, defined({ outcome: outcomeOf(outcome) }));
  build.closed_at = timeOf(event);
  stopWaiting(build);
  delete build.current;
  for (const step of build.steps.filter(({ state }) => state === 'running' || state === 'waiting')) {
    delete step.until;
    Object.assign(step, { state: 'failed', ended_at: build.closed_at } satisfies Partial<BuildStep>);
  }
  return true;
}

/** A record's status, or Temporal's for a run that closed without a valid outcome. */
type Status = RecordStatus | Exclude<ReturnType<typeof closedAs>, 'CANCELED' | 'CONTINUED_AS_NEW' | undefined>;

/** Returns the attributes of a status record as the events tell them, for a build without a record. */
export function recordOf(build: BuildState): Record<string, unknown> & { status: Status; error_info?: ErrorInfo } {
  const { input, outcome } = build;
  // The build goes on in its next run.
  const closed = build.closed === 'CONTINUED_AS_NEW' ? undefined : build.closed;
  const status = outcome?.status ?? (closed === 'CANCELED' ? 'CANCELLED' : (closed ?? 'IN_PROGRESS'));
  const error_info = outcome?.error_info ?? build.failure;
  return {
    ...(input === undefined ? {} : statusAttributesOf(input)),
    job_id: build.job_id,
    start_at: build.start_at,
    status,
    ...defined({ build_id: build.build_id, error_info: error_info as ErrorInfo | undefined }),
    ...defined({ directory_group: outcome?.directory_group }),
  };
}

/** Returns an activity's message. A failure of Temporal's own, such as a timeout, has it as its cause. */
function messageOf(failure: Error | undefined): string | undefined {
  const said = failure instanceof ApplicationFailure ? failure : ((failure?.cause as Error | undefined) ?? failure);
  return said?.message || undefined;
}

function timeOf(event: HistoryEvent): string {
  const { seconds, nanos } = event.eventTime ?? {};
  return new Date(Number(seconds ?? 0) * 1000 + Math.floor((nanos ?? 0) / 1e6)).toISOString();
}

function looksLikeInput(value: unknown): value is RoleBuildInput {
  const input = value as Partial<RoleBuildInput> | null | undefined;
  const account: unknown = input?.build_body?.account_id;
  return typeof account === 'string' && typeof input?.ddb_composite_sort_key === 'string';
}
