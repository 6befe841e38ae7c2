import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { Holder } from '../activities/types.ts';
import type { RoleBuildOutcome } from '../contract.ts';
import { errorInfo, isFailureName, type ErrorInfo, type FailureName } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { recordWrite } from './activity-options.ts';
import { countContested } from './metrics.ts';
import type { Ending, Progress } from '../domain/progress.ts';

const NON_RETRYABLE: readonly string[] = recordWrite.retry.nonRetryableErrorTypes;

/** What a state's failure means where the activity could not say so itself, as when its worker died. */
const FAILURE_OF_STATE: Readonly<Record<string, FailureName>> = {
  UpsertRequestRecord: 'RecordWriteFailed',
  InsertRequestHistory: 'RecordWriteFailed',
  TriggerBuild: 'BuildTriggerUnknown',
  GetBuildStatus: 'BuildApiUnavailable',
};

export function failed(error_info: ErrorInfo): Ending {
  return { status: 'FAILED', error_info };
}

export function heldByNewerJob(state: string, holder: NonNullable<Holder>, progress: Progress): Ending {
  progress.contested = true;
  countContested(state);
  if (state === 'UpsertRequestRecord') progress.record = 'contested';
  return failed(
    errorInfo(
      'RecordWriteFailed',
      `${state}: the record belongs to the newer job ${holder.job_id}, started ${holder.start_at}; it was left alone`,
    ),
  );
}

/**
 * How a build ends after one of its steps threw. A refused one ends as that only if it has no record.
 *
 * @throws whatever is not an end: continue-as-new, a fault of our own
 */
export function endingOf(err: unknown, progress: Progress): Ending {
  if (progress.refusal !== undefined) {
    const cause = `UpsertRequestRecord: ${progress.refusal.message}, after an earlier attempt had put the record`;
    return failed(errorInfo('RecordWriteFailed', cause));
  }
  if (CancellationScope.current().consideredCancelled && isCutShort(err)) return { status: 'CANCELLED' };
  if (err instanceof TemporalFailure) return failed(failureOf(err, progress.step ?? 'UpsertRequestRecord'));
  throw err;
}

/** Whether a step was cancelled, or failed in an attempt that would have been made again, had it not been cancelled. */
export function isCutShort(err: unknown): boolean {
  if (isCancellation(err)) return true;
  if (err instanceof ActivityFailure && err.retryState === 'MAXIMUM_ATTEMPTS_REACHED') return false;
  return err instanceof TemporalFailure && !isFinal(causeOf(err));
}

function failureOf(err: TemporalFailure, state: string): ErrorInfo {
  const cause = causeOf(err);
  const name = cause instanceof ApplicationFailure && isFailureName(cause.type) ? cause.type : FAILURE_OF_STATE[state];
  const what =
    cause instanceof TimeoutFailure
      ? `the worker did not finish it in time (${cause.timeoutType})`
      : cause.message || err.message;
  return errorInfo(name ?? 'RecordWriteFailed', `${state}: ${what}${isFinal(cause) ? '' : ' (3 attempts)'}`);
}

/** An activity's failure comes wrapped, a local activity's as it is. */
function causeOf(err: TemporalFailure): Error {
  return err instanceof ActivityFailure && err.cause !== undefined ? err.cause : err;
}

function isFinal(cause: Error): boolean {
  return (
    cause instanceof ApplicationFailure && (cause.nonRetryable === true || NON_RETRYABLE.includes(cause.type ?? ''))
  );
}

export function outcomeOf(input: RoleBuildInput, job: Job, progress: Progress, ending: Ending): RoleBuildOutcome {
  return {
    status: ending.status,
    // Optional, since a build may end before its input was checked.
    account_id: input?.build_body?.account_id,
    resource: input?.ddb_composite_sort_key,
    correlation_id: input?.correlation_id,
    ...job,
    ...(progress.build_id === undefined ? {} : { build_id: progress.build_id }),
    polls: progress.polls,
    ...(ending.status === 'FAILED' ? { error_info: ending.error_info } : {}),
    contested: progress.contested,
  };
}
