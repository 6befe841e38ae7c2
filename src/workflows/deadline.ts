import { CancellationScope, CancelledFailure, sleep, TimeoutFailure } from '@temporalio/workflow';
import { errorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import { failed, isCutShort } from './endings.ts';
import type { Ending } from '../domain/progress.ts';

type Decide = (throwIfOver: () => void, leftMs: () => number | undefined) => Promise<Ending>;

/**
 * Runs `decide` until the build's deadline. Then a wait ends, a poll is dropped, and a POST in progress finishes and
 * its answer is kept. A cancellation of the workflow passes through unchanged and outranks the deadline.
 *
 * @param decide gets a check to make before each poll, because after a long time without a worker a wait and the
 *   deadline can end in the same workflow task. It also gets the time left for a poll, because a local activity keeps
 *   the deadline's timer from showing
 */
export function beforeDeadline(input: RoleBuildInput, job: Job, decide: Decide): Promise<Ending> {
  if (input.deadline_seconds !== undefined) return cutShortAt(input.deadline_seconds, job, decide);
  // Most builds have no deadline. Scopes would cost each of them a dozen promises.
  throwIf(isCancelled());
  return decide(
    () => throwIf(isCancelled()),
    () => undefined,
  );
}

async function cutShortAt(deadlineSeconds: number, job: Job, decide: Decide): Promise<Ending> {
  const outer = CancellationScope.current();
  const endsAtMs = Date.parse(job.start_at) + deadlineSeconds * 1000;
  const leftMs = endsAtMs - Date.now();
  const isOver = () => Date.now() >= endsAtMs;
  const throwIfOver = () => throwIf(isCancelled() || isOver());
  const deciding = new CancellationScope();
  const timing = new CancellationScope();
  if (leftMs > 0) {
    const passed = timing.run(() => sleep(leftMs, { summary: 'deadline' }));
    void passed.then(
      () => deciding.cancel(),
      () => undefined,
    );
  }
  try {
    throwIfOver();
    return await deciding.run(() => decide(throwIfOver, () => Math.max(1, endsAtMs - Date.now())));
  } catch (err) {
    if (outer.consideredCancelled || !isCutShort(err)) throw err;
    if (!deciding.consideredCancelled && !isOver() && !hasRunOut(err)) throw err;
    const why = `the build was not decided in the ${deadlineSeconds} s from ${job.start_at}; the build API may still finish it`;
    return failed(errorInfo('BuildDeadlineExceeded', why));
  } finally {
    timing.cancel();
  }
}

/** Whether a poll used up the time that was left. */
function hasRunOut(err: unknown): boolean {
  return err instanceof TimeoutFailure && err.timeoutType === 'SCHEDULE_TO_CLOSE';
}

function throwIf(isCutShortNow: boolean): void {
  if (isCutShortNow) throw new CancelledFailure('cut short before the next step');
}
