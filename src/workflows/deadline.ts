import { CancellationScope, sleep } from '@temporalio/workflow';
import { DEADLINE_SUMMARY } from '../contract.ts';
import { errorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { failed, isCutShort } from './endings.ts';
import type { Ending } from './progress.ts';

/**
 * Runs what decides a build, cut short at its deadline: a wait ends, a poll is dropped, a POST under way is let finish
 * and its answer kept. A cancellation of the workflow passes through as it is and outranks the deadline.
 */
export async function beforeDeadline(input: RoleBuildInput, job: Job, decide: () => Promise<Ending>): Promise<Ending> {
  const outer = CancellationScope.current();
  const deadlineMs = input.deadline_seconds === undefined ? Infinity : input.deadline_seconds * 1000;
  const leftMs = Date.parse(job.start_at) + deadlineMs - Date.now();
  const exceeded = () =>
    failed(
      errorInfo(
        'BuildDeadlineExceeded',
        `the build was not decided in the ${input.deadline_seconds} s from ${job.start_at}; the build API may still finish it`,
      ),
    );
  // Past the deadline there is nothing to run; a cancellation that came first is what ends the build all the same.
  if (leftMs <= 0 && !outer.consideredCancelled) return exceeded();

  const deciding = new CancellationScope();
  const timing = new CancellationScope();
  if (leftMs !== Infinity) {
    const passed = timing.run(() => sleep(Math.max(leftMs, 1), { summary: DEADLINE_SUMMARY }));
    void passed.then(
      () => deciding.cancel(),
      () => undefined,
    );
  }
  try {
    return await deciding.run(decide);
  } catch (err) {
    if (outer.consideredCancelled || !deciding.consideredCancelled || !isCutShort(err)) throw err;
    return exceeded();
  } finally {
    timing.cancel();
  }
}
