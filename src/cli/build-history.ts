/**
 * What a build has done so far, read off its workflow's history: it needs no worker to answer, and it is there for as
 * long as Temporal keeps it.
 */
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { ApplicationFailure, type LoadedDataConverter, type SerializationContext } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { stateNameOf, STATE_NAMES } from '../activities/types.ts';
import {
  DEADLINE_SUMMARY,
  OWN_CANCELLATION_REASON,
  WAIT_SUMMARY,
  workflowIdOf,
  type RoleBuildOutcome,
} from '../contract.ts';
import { takePoll, type Polls } from '../domain/build-status.ts';
import { isFailureName, type ErrorInfo } from '../domain/failures.ts';
import { progressFaults, type Progress } from '../domain/progress.ts';
import { isEndStatus } from '../domain/record-status.ts';
import { isResumption } from '../domain/resumption.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { noteStep, type BuildStep, type StepProgress } from './build-steps.ts';
import { pollIn } from './poll.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payload = temporal.api.common.v1.IPayload;

/** How a run closed, in Temporal's words. */
export type ClosedAs = 'COMPLETED' | 'FAILED' | 'CANCELED' | 'TERMINATED' | 'TIMED_OUT' | 'CONTINUED_AS_NEW';

export interface BuildHistory extends Polls {
  workflow_id?: string;
  job_id?: string;
  start_at?: string;
  input?: RoleBuildInput;
  build_id?: string;
  /** The job that this one resumes. */
  resumes?: string;
  /** Who asked to cancel it. */
  cancelled_by?: string;
  /** Of the last event that was taken in. */
  event_id: number;
  next_poll_at?: string;
  /** When a last write that failed is going to be tried again. */
  next_attempt_at?: string;
  current?: StepProgress;
  /** Every step so far of this run; the polls are one. */
  steps: BuildStep[];
  /** It took over from an earlier run, which has the first steps. */
  continued?: true;
  closed?: ClosedAs;
  closed_at?: string;
  /** The run that goes on after `CONTINUED_AS_NEW`. */
  next_run_id?: string;
  outcome?: RoleBuildOutcome;
  /** Why it failed, where no outcome says so: a refused input, or a failure of Temporal's. */
  failure?: { Error: string; Cause: string };
}

export function newBuildHistory(): BuildHistory {
  return { polls: 0, event_id: 0, steps: [] };
}

/** How a history's payloads are read: the client's converter, and the workflow that they are bound to where encrypted. */
export interface PayloadReader {
  converter: LoadedDataConverter;
  context: SerializationContext;
}

/** Takes one history event in, in place. @returns whether it is one that people would want to see */
export async function takeEvent(build: BuildHistory, event: HistoryEvent, reader: PayloadReader): Promise<boolean> {
  const isWorthSeeing = await takeIn(build, event, reader);
  noteStep(build.steps, build);
  build.event_id = Number(event.eventId ?? 0);
  return isWorthSeeing;
}

async function takeIn(build: BuildHistory, event: HistoryEvent, reader: PayloadReader): Promise<boolean> {
  const at = timeOf(event);
  const decode = <T>(payloads: Payload[] | null | undefined): Promise<T[]> =>
    decodeArrayFromPayloads(reader.converter, payloads, reader.context) as Promise<T[]>;

  if (event.workflowExecutionStartedEventAttributes) {
    const started = event.workflowExecutionStartedEventAttributes;
    const [input, given] = await decode<unknown>(started.input?.payloads);
    const progress = carriedBy(event, given);
    const resumption = progress === undefined && isResumption(given) ? given : progress?.resumption;
    const build_id = progress?.build_id ?? resumption?.build_id;
    build.job_id = started.firstExecutionRunId ?? '';
    build.start_at = progress?.start_at ?? at;
    build.polls = progress?.polls ?? 0;
    if (resumption !== undefined) build.resumes = resumption.resumes;
    if (progress !== undefined) build.continued = true;
    if (build_id !== undefined) build.build_id = build_id;
    if (progress?.last_status !== undefined) build.last_status = progress.last_status;
    if (looksLikeInput(input)) {
      build.input = input;
      build.workflow_id = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
    }
    return progress === undefined;
  }
  if (event.activityTaskScheduledEventAttributes) {
    const name = event.activityTaskScheduledEventAttributes.activityType?.name ?? '';
    delete build.next_poll_at;
    delete build.next_attempt_at;
    build.current = { step: stateNameOf(name), state: 'scheduled', at, attempts: 1 };
    return true;
  }
  if (event.activityTaskStartedEventAttributes) {
    if (build.current !== undefined) build.current.attempts = event.activityTaskStartedEventAttributes.attempt ?? 1;
    return false;
  }
  if (event.activityTaskCompletedEventAttributes) {
    if (build.current === undefined) return false;
    build.current = { ...build.current, state: 'done', at };
    if (build.current.step === STATE_NAMES.triggerBuild) {
      const [result] = await decode<{ build_id: string }>(event.activityTaskCompletedEventAttributes.result?.payloads);
      if (typeof result?.build_id === 'string') build.build_id = result.build_id;
    }
    return true;
  }
  const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
  if (failed) {
    const failure = await failureMessage(reader, failed.failure);
    if (build.current !== undefined) build.current = { ...build.current, state: 'failed', at, ...failure };
    return true;
  }
  if (event.timerStartedEventAttributes) {
    const { startToFireTimeout } = event.timerStartedEventAttributes;
    const waitMs = Number(startToFireTimeout?.seconds ?? 0) * 1000 + (startToFireTimeout?.nanos ?? 0) / 1e6;
    const until = new Date(Date.parse(at) + waitMs).toISOString();
    const summary = event.userMetadata?.summary;
    const [what] = await decode<string>(summary ? [summary] : []);
    if (what === DEADLINE_SUMMARY) return false;
    if (what === WAIT_SUMMARY) {
      build.next_poll_at = until;
      build.current = { step: WAIT_SUMMARY, state: 'scheduled', at, attempts: 1 };
    } else if (what !== undefined) {
      build.next_attempt_at = until;
      build.current = { step: what.split(':')[0] ?? what, state: 'failed', at, attempts: 3 };
    }
    return what !== undefined;
  }
  if (event.markerRecordedEventAttributes) {
    const poll = await pollIn(event, decode);
    if (poll === undefined || (poll.answer !== undefined && takePoll(build, poll.answer) === 'put off')) return false;
    const { attempts, failure } = poll;
    const state = failure === undefined ? 'done' : 'failed';
    delete build.next_poll_at;
    const why = await failureMessage(reader, failure);
    build.current = { step: STATE_NAMES.getBuildStatus, state, at, attempts, ...why };
    return true;
  }
  if (event.workflowExecutionCancelRequestedEventAttributes) {
    const { identity, cause } = event.workflowExecutionCancelRequestedEventAttributes;
    if (identity && cause !== OWN_CANCELLATION_REASON) build.cancelled_by ??= identity;
    return false;
  }
  return takeClosingEvent(build, event, reader, decode);
}

/** What a run was handed by the one before it, unless it was made up: then the workflow refuses it. */
export function carriedBy(event: HistoryEvent, given: unknown): Progress | undefined {
  const isContinued = Boolean(event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId);
  return isContinued && progressFaults(given, timeOf(event)).length === 0 ? (given as Progress) : undefined;
}

async function takeClosingEvent(
  build: BuildHistory,
  event: HistoryEvent,
  reader: PayloadReader,
  decode: <T>(payloads: Payload[] | null | undefined) => Promise<T[]>,
): Promise<boolean> {
  if (event.workflowExecutionCompletedEventAttributes) {
    build.closed = 'COMPLETED';
    const [outcome] = await decode<RoleBuildOutcome>(event.workflowExecutionCompletedEventAttributes.result?.payloads);
    if (isOutcome(outcome)) build.outcome = outcome;
  } else if (event.workflowExecutionFailedEventAttributes) {
    build.closed = 'FAILED';
    const failure = await decodeOptionalFailureToOptionalError(
      reader.converter,
      event.workflowExecutionFailedEventAttributes.failure,
      reader.context,
    );
    const type = failure instanceof ApplicationFailure ? (failure.type ?? 'Error') : (failure?.name ?? 'Error');
    build.failure = { Error: type, Cause: failure?.message ?? '' };
    if (failure instanceof ApplicationFailure && isFailureName(type)) {
      const [outcome] = (failure.details ?? []) as RoleBuildOutcome[];
      if (isOutcome(outcome)) build.outcome = outcome;
    }
  } else if (event.workflowExecutionCanceledEventAttributes) {
    build.closed = 'CANCELED';
  } else if (event.workflowExecutionTerminatedEventAttributes) {
    build.closed = 'TERMINATED';
  } else if (event.workflowExecutionTimedOutEventAttributes) {
    build.closed = 'TIMED_OUT';
  } else if (event.workflowExecutionContinuedAsNewEventAttributes) {
    build.closed = 'CONTINUED_AS_NEW';
    build.next_run_id = event.workflowExecutionContinuedAsNewEventAttributes.newExecutionRunId ?? '';
    return false;
  } else {
    return false;
  }
  build.closed_at = timeOf(event);
  delete build.next_poll_at;
  delete build.next_attempt_at;
  delete build.current;
  return true;
}

/** The attributes of a status record as the history knows them, for where there is no record. */
export function recordOf(build: BuildHistory): Record<string, unknown> & { status: string; error_info?: ErrorInfo } {
  const { input, outcome } = build;
  const status = outcome?.status ?? (build.closed === 'CANCELED' ? 'CANCELLED' : (build.closed ?? 'IN_PROGRESS'));
  const error_info = outcome?.error_info ?? build.failure;
  return {
    account_id: input?.build_body.account_id,
    resource: input?.ddb_composite_sort_key,
    build_type: input?.build_body.build_type,
    action: input?.build_body.action,
    custom_role_name: input?.build_body.custom_role_name,
    dry_run: input?.build_body.dry_run,
    job_id: build.job_id,
    start_at: build.start_at,
    status,
    correlation_id: input?.correlation_id,
    trace_header: input?.trace_header,
    ...(build.build_id === undefined ? {} : { build_id: build.build_id }),
    ...(error_info === undefined ? {} : { error_info: error_info as ErrorInfo }),
  };
}

async function failureMessage(
  reader: PayloadReader,
  failure: temporal.api.failure.v1.IFailure | null | undefined,
): Promise<{ failure?: string }> {
  if (!failure) return {};
  const error = await decodeOptionalFailureToOptionalError(reader.converter, failure, reader.context);
  const { message } = (error?.cause as Error | undefined) ?? error ?? {};
  return message === undefined || message === '' ? {} : { failure: message };
}

function timeOf(event: HistoryEvent): string {
  const { seconds, nanos } = event.eventTime ?? {};
  return new Date(Number(seconds ?? 0) * 1000 + Math.floor((nanos ?? 0) / 1e6)).toISOString();
}

function isOutcome(value: unknown): value is RoleBuildOutcome {
  return isEndStatus((value as Partial<RoleBuildOutcome> | null | undefined)?.status);
}

function looksLikeInput(value: unknown): value is RoleBuildInput {
  const input = value as Partial<RoleBuildInput> | null | undefined;
  return (
    typeof input?.build_body === 'object' &&
    input.build_body !== null &&
    typeof input.ddb_composite_sort_key === 'string'
  );
}
