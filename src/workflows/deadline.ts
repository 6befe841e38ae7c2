import { CancellationScope, CancelledFailure, sleep, TimeoutFailure } from '@temporalio/workflow';
import { errorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import { failed, isCutShort } from './endings.ts';
import type { Ending } from '../domain/progress.ts';

type Decide = (throwIfOver: () => void, leftMs: () => number | undefined) => Promise<Ending>;

/**
 * Runs what decides a build, cut short at its deadline: a wait ends, a poll is dropped, a POST under way finishes
 * and its answer is kept. A cancellation of the workflow passes through as it is and outranks the deadline.
 *
 * @param decide is given a check to make before each poll: if a worker was away for long, a wait and the deadline can
 *   end in the same workflow task; and what is left of the time for a poll, since the timer of a deadline that passes during
 *   a local activity shows only after it
 */
export function beforeDeadline(input: RoleBuildInput, job: Job, decide: Decide): Promise<Ending> {
  if (input.deadline_seconds !== undefined) return cutShortAt(input.deadline_seconds, job, decide);
  // Most builds have none: scopes of its own would cost each of them a dozen promises.
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

/** Whether a poll took all of the time that was left. */
function hasRunOut(err: unknown): boolean {
  return err instanceof TimeoutFailure && err.timeoutType === 'SCHEDULE_TO_CLOSE';
}

function throwIf(isCutShortNow: boolean): void {
  if (isCutShortNow) throw new CancelledFailure('cut short before the next step');
}
