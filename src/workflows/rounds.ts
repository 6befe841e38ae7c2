/** Rounds of attempts at a step that is not given up. */
import { ActivityFailure, sleep } from '@temporalio/workflow';
import { retrySummary } from '../contract.ts';
import type { Progress } from '../domain/progress.ts';
import { FINAL_UPDATE_RETRY } from '../domain/retries.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { requireAnswer } from './answers.ts';
import { goOnAsNew, isContinueAsNewDue } from './continue-as-new.ts';
import { countFailedRound } from './metrics.ts';
import { code, showStep } from './show.ts';

/**
 * Makes rounds of attempts with durable, growing waits between them. Continues as new after a wait if that is due.
 *
 * @param onFailed throws to give up. The text of its `says` is shown, followed by "tried again at" and a time
 */
export async function inRounds<T>(
  input: RoleBuildInput,
  progress: Progress,
  state: string,
  attempts: () => Promise<T>,
  isAnswer: (answer: unknown) => answer is T,
  onFailed: (failure: ActivityFailure) => { says: (why: string) => string; summary: string; maxMs?: number },
): Promise<T> {
  for (;;) {
    showStep(progress, state);
    try {
      const answer = await attempts();
      requireAnswer(isAnswer(answer), state);
      delete progress.last_write_wait_ms;
      return answer;
    } catch (err) {
      if (!(err instanceof ActivityFailure)) throw err;
      const { says, summary, maxMs = FINAL_UPDATE_RETRY.maxMs } = onFailed(err);
      const waitMs = Math.min(nextWaitMs(progress.last_write_wait_ms), maxMs);
      const next = new Date(Date.now() + waitMs).toISOString();
      showStep(progress, state, `${says(code(err.cause?.message ?? err.message))} tried again at ${next}`);
      countFailedRound(state);
      await sleep(waitMs, { summary: retrySummary(state, summary) });
      progress.last_write_wait_ms = waitMs;
      if (isContinueAsNewDue(true)) await goOnAsNew(input, progress);
    }
  }
}

function nextWaitMs(lastMs: number | undefined): number {
  if (lastMs === undefined) return FINAL_UPDATE_RETRY.firstMs;
  return Math.min(lastMs * FINAL_UPDATE_RETRY.backoffCoefficient, FINAL_UPDATE_RETRY.maxMs);
}
