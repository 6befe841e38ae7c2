import { ActivityFailure, ApplicationFailure, sleep } from '@temporalio/workflow';
import { PAYLOAD_UNREADABLE, retrySummary } from '../contract.ts';
import { code, showStep } from './show.ts';
import type { Progress } from '../domain/progress.ts';

/** Time for operators to notice and to give workers the key. */
const WAIT_MS = 30_000;

/**
 * Runs a step again while workers can't read its payload, for example because they lack the key. Such a failure is no
 * attempt at the step, so it uses up none of its three.
 *
 * @throws any other error of the step
 */
export function onceReadable<T>(progress: Progress, state: string, step: () => Promise<T>): Promise<T> {
  // Not an async function: each promise in the sandbox costs a stack trace, and most steps are readable at once.
  return step().catch((err: unknown) => untilReadable(progress, state, step, err));
}

async function untilReadable<T>(
  progress: Progress,
  state: string,
  step: () => Promise<T>,
  firstErr: unknown,
): Promise<T> {
  for (let err = firstErr; ;) {
    if (!isUnreadable(err)) throw err;
    const next = new Date(Date.now() + WAIT_MS).toISOString();
    showStep(progress, state, `${code(err.cause.message)}; given to a worker again at ${next}`);
    await sleep(WAIT_MS, { summary: retrySummary(state, 'wait for a worker that can read it') });
    showStep(progress, state);
    try {
      return await step();
    } catch (again) {
      err = again;
    }
  }
}

function isUnreadable(err: unknown): err is ActivityFailure & { cause: ApplicationFailure } {
  return (
    err instanceof ActivityFailure && err.cause instanceof ApplicationFailure && err.cause.type === PAYLOAD_UNREADABLE
  );
}
