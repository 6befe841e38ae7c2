import {
  activityInfo,
  ApplicationFailure,
  cancellationSignal,
  CancelledFailure,
  heartbeat,
} from '@temporalio/activity';
import { BuildApiError } from '../build-api/error.ts';
import type { BuildApi } from '../build-api/client.ts';
import type { RateLimit } from '../build-api/rate-limit.ts';
import { checkBuildStatus, type BuildStatusAnswer, type Verdict } from '../domain/build-status.ts';
import { RETRY_AFTER_MAX_MS, STEP_RETRY } from '../domain/retries.ts';
import type { RoleBuildActivities } from './types.ts';

const HEARTBEAT_EVERY_MS = 4_000;

/** Heartbeat details, which the next attempt reads. */
interface TriggerAttempts {
  /** Whether the build API may have accepted the POST of an attempt that got no answer. */
  unanswered: boolean;
}

/** The rate limit of polls, and a callback for their results. */
export interface PollOptions {
  /** None by default. */
  pollRate?: RateLimit | undefined;
  /** Called with the result of each poll. */
  onPoll?: (verdict: Verdict) => void;
}

/** For the workflow this is an undecided build, which it polls again later. A failure would use up an attempt. */
const PUT_OFF = { can_retry: true, build_status: null, put_off: true } as const satisfies BuildStatusAnswer;

export function createBuildApiActivities(
  buildApi: BuildApi,
  { pollRate, onPoll }: PollOptions = {},
): Pick<RoleBuildActivities, 'triggerBuild' | 'getBuildStatus'> {
  return {
    async triggerBuild(target, buildBody) {
      const unansweredBefore = isUnansweredSoFar(target.may_be_sent);
      // If the worker dies during the POST, the POST stays unanswered.
      const beat = () => heartbeat({ unanswered: true } satisfies TriggerAttempts);
      // A first attempt without details counts as unanswered. A later one must replace the details of earlier ones.
      if (activityInfo().attempt > 1 || activityInfo().heartbeatDetails !== undefined) beat();
      const beating = setInterval(beat, HEARTBEAT_EVERY_MS);
      try {
        return await buildApi.triggerBuild(target, buildBody);
      } catch (err) {
        if (!(err instanceof BuildApiError)) throw err;
        const unanswered = unansweredBefore || err.unanswered;
        heartbeat({ unanswered } satisfies TriggerAttempts);
        const note =
          unansweredBefore && !err.unanswered ? '; an earlier attempt may have been taken without an answer' : '';
        throw toFailure(err, unanswered ? 'BuildTriggerUnknown' : 'BuildApiUnavailable', note);
      } finally {
        clearInterval(beating);
      }
    },

    async getBuildStatus(target, buildId) {
      const signal = cancellationSignal();
      try {
        if (pollRate !== undefined && !(await pollRate.take(signal))) {
          onPoll?.('deferred');
          return PUT_OFF;
        }
        const answer = await buildApi.getBuildStatus(target, buildId, signal);
        onPoll?.(checkBuildStatus(answer));
        return answer;
      } catch (err) {
        if (signal.aborted) throw signal.reason instanceof Error ? signal.reason : new CancelledFailure('dropped');
        throw err instanceof BuildApiError ? toFailure(err, 'BuildApiUnavailable') : err;
      }
    },
  };
}

/**
 * Whether the build API may have accepted a POST without an answer. An attempt that left no details has died, and may
 * have sent its POST. After `temporal activity reset`, the first attempt has the details of those before it.
 */
function isUnansweredSoFar(isSentBefore = false): boolean {
  const { attempt, heartbeatDetails } = activityInfo();
  return (heartbeatDetails as TriggerAttempts | undefined)?.unanswered ?? (isSentBefore || attempt > 1);
}

function toFailure(err: BuildApiError, retryableType: string, note = ''): ApplicationFailure {
  const backoffMs = STEP_RETRY.firstMs * STEP_RETRY.backoffCoefficient ** (activityInfo().attempt - 1);
  const retryAfterMs = Math.min(err.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  return ApplicationFailure.create({
    ...(retryAfterMs > backoffMs ? { nextRetryDelay: retryAfterMs } : {}),
    message: `${err.message}${note}`,
    type: err.retryable ? retryableType : 'CustomNonRetryableError',
    nonRetryable: !err.retryable,
    cause: err,
  });
}
