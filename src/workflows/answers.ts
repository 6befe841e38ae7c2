/** Checks of activity results, because any client that may write to the namespace can complete an activity. */
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import type { Written } from '../activities/types.ts';
import { hasTexts } from '../domain/directory-group.ts';
import type { Job } from '../domain/identity.ts';

const NOT_OURS = 'it was completed with a result that no worker of ours returns';

/** @throws ActivityFailure for a bad result, as if the activity had failed, whatever it really did */
export function requireAnswer(isGood: boolean, state: string): void {
  if (isGood) return;
  const cause = ApplicationFailure.nonRetryable(NOT_OURS);
  throw new ActivityFailure(NOT_OURS, state, undefined, 'NON_RETRYABLE_FAILURE', undefined, cause);
}

export function isHolder(answer: unknown): answer is Job | null {
  return answer === null || hasTexts(answer, ['job_id', 'start_at']);
}

export function isWritten(answer: unknown): answer is Written {
  const { absent } = (answer ?? {}) as { absent?: unknown };
  return absent === true || isHolder(answer);
}
