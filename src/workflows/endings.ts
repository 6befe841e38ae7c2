import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';

import { STATE_NAMES } from '../activities/types.ts';
import type { RoleBuildOutcome } from '../contract.ts';
import { defined } from '../domain/defined.ts';
import { errorInfo, isFailureName, type ErrorInfo, type FailureName } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { recordWrite } from './activity-options.ts';
import { countContested } from './metrics.ts';
import type { Ending, Progress } from '../domain/progress.ts';

const NON_RETRYABLE: readonly string[] = recordWrite.retry.nonRetryableErrorTypes;

/** The failure of a state whose activity could not name one, as when its worker died; else `RecordWriteFailed`. */
const FAILURE_OF_STATE: Readonly<Record<string, FailureName>> = {
  TriggerBuild: 'BuildTriggerUnknown',
  GetBuildStatus: 'BuildApiUnavailable',
  CheckDirectoryGroup: 'DirectoryUnavailable',
  EnsureDirectoryGroup: 'DirectoryUnavailable',
};

const ENSURE = STATE_NAMES.ensureDirectoryGroup;
const ROLE_EXISTS = '; the role exists, only its group is missing: resume goes on at that';

const NO_DIRECTORY =
  'no worker took it in 60 s: a worker with a directory has DIRECTORY_URL, DIRECTORY_BIND_USER, DIRECTORY_PASSWORD_FILE and DIRECTORY_GROUP_OU set';

export function failed(error_info: ErrorInfo): Ending {
  return { status: 'FAILED', error_info };
}

export function heldByNewerJob(state: string, holder: Job, progress: Progress): Ending {
  progress.contested = true;
  countContested(state);
  if (state === 'UpsertRequestRecord') progress.record = 'contested';
  const whose = `belongs to the newer job ${holder.job_id}, started ${holder.start_at}; it was left alone`;
  return failed(errorInfo('RecordWriteFailed', `${state}: the record ${whose}`));
}

/**
 * Returns how a build ends after a step threw. A refused build ends as refused only if it has no record.
 *
 * @throws errors that do not end a build: continue-as-new, a bug of ours
 */
export function endingOf(err: unknown, progress: Progress): Ending {
  if (progress.refusal !== undefined) {
    const cause = `UpsertRequestRecord: ${progress.refusal.message}, after an earlier attempt had put the record`;
    return failed(errorInfo('RecordWriteFailed', cause));
  }
  if (CancellationScope.current().consideredCancelled && isCutShort(err)) {
    const { record, group_sent_to: server } = progress;
    if (server === undefined || record !== 'written') return { status: 'CANCELLED' };
    const what = `cancelled while the outcome of the add that was sent to ${server.name} is unknown`;
    return failed(errorInfo('DirectoryGroupUnknown', `${ENSURE}: ${what}${ROLE_EXISTS}`));
  }
  if (err instanceof TemporalFailure) return failed(failureOf(err, progress));
  throw err;
}

/** Whether a step was cancelled, or failed in an attempt that would have been retried without the cancellation. */
export function isCutShort(err: unknown): boolean {
  if (isCancellation(err)) return true;
  if (err instanceof ActivityFailure && err.retryState === 'MAXIMUM_ATTEMPTS_REACHED') return false;
  return err instanceof TemporalFailure && !isFinal(err);
}

function failureOf(err: TemporalFailure, { step: state = 'UpsertRequestRecord', group_sent_to }: Progress): ErrorInfo {
  const cause = causeOf(err);
  const isSent = state === ENSURE && group_sent_to !== undefined;
  const unsaid = isSent ? 'DirectoryGroupUnknown' : FAILURE_OF_STATE[state];
  const name = cause instanceof ApplicationFailure && isFailureName(cause.type) ? cause.type : unsaid;
  const after = state === ENSURE ? ROLE_EXISTS : '';
  const timeout = cause instanceof TimeoutFailure ? cause.timeoutType : undefined;
  const hasNoWorker = timeout === 'SCHEDULE_TO_START';
  const what =
    timeout === undefined ? cause.message || err.message : `the worker did not finish it in time (${timeout})`;
  const attempts = isFinal(err) || hasNoWorker ? '' : ' (3 attempts)';
  return errorInfo(name ?? 'RecordWriteFailed', `${state}: ${hasNoWorker ? NO_DIRECTORY : what}${attempts}${after}`);
}

/** Whether another attempt would fail in the same way. */
export function isFinal(err: TemporalFailure): boolean {
  const cause = causeOf(err);
  if (!(cause instanceof ApplicationFailure)) return false;
  return cause.nonRetryable === true || NON_RETRYABLE.includes(cause.type ?? '');
}

/**
 * Unwraps a local activity's timeout, which is wrapped when it happens but not on replay. Both must lead to the same
 * decision. Otherwise the two final updates would differ if another worker takes over between them.
 */
export function asOnReplay(err: unknown): unknown {
  return err instanceof ActivityFailure && err.cause instanceof TimeoutFailure ? err.cause : err;
}

/** An activity's failure is wrapped, a local activity's is not. */
function causeOf(err: TemporalFailure): Error {
  return err instanceof ActivityFailure && err.cause !== undefined ? err.cause : err;
}

export function outcomeOf(input: RoleBuildInput, job: Job, progress: Progress, ending: Ending): RoleBuildOutcome {
  return defined({
    status: ending.status,
    // Optional, since a build may end before its input was checked.
    account_id: input?.build_body?.account_id,
    resource: input?.ddb_composite_sort_key,
    correlation_id: input?.correlation_id,
    ...job,
    build_id: progress.build_id,
    polls: progress.polls,
    error_info: ending.status === 'FAILED' ? ending.error_info : undefined,
    directory_group: progress.directory_group,
    contested: progress.contested,
  });
}
