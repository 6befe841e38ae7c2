import { CancellationScope, CancelledFailure, sleep } from '@temporalio/workflow';
import { DEADLINE_SUMMARY } from '../contract.ts';
import { errorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import { failed, isCutShort } from './endings.ts';
import type { Ending } from './progress.ts';

/**
 * Runs what decides a build, cut short at its deadline: a wait ends, a poll is dropped, a POST under way is let finish
 * and its answer kept. A cancellation of the workflow passes through as it is and outranks the deadline.
 *
 * @param decide is given a check to make before each poll: where a worker was away for long, a wait and the deadline can
 *   end in the same workflow task
 */
export async function beforeDeadline(
  input: RoleBuildInput,
  job: Job,
  decide: (throwIfOver: () => void) => Promise<Ending>,
): Promise<Ending> {
  const outer = CancellationScope.current();
  const deadlineMs = input.deadline_seconds === undefined ? Infinity : input.deadline_seconds * 1000;
  const leftMs = Date.parse(job.start_at) + deadlineMs - Date.now();
  const endsAtMs = Date.now() + leftMs;
  const isOver = () => Date.now() >= endsAtMs;
  const throwIfOver = () => {
    if (isCancelled() || isOver()) throw new CancelledFailure('cut short before the next step');
  };
  const exceeded = () =>
    failed(
      errorInfo(
        'BuildDeadlineExceeded',
        `the build was not decided in the ${input.deadline_seconds} s from ${job.start_at}; the build API may still finish it`,
      ),
    );
  const deciding = new CancellationScope();
  const timing = new CancellationScope();
  if (leftMs !== Infinity && leftMs > 0) {
    const passed = timing.run(() => sleep(leftMs, { summary: DEADLINE_SUMMARY }));
    void passed.then(
      () => deciding.cancel(),
      () => undefined,
    );
  }
  try {
    throwIfOver();
    return await deciding.run(() => decide(throwIfOver));
  } catch (err) {
    if (outer.consideredCancelled || !isCutShort(err)) throw err;
    if (deciding.consideredCancelled || isOver()) return exceeded();
    throw err;
  } finally {
    timing.cancel();
  }
}
