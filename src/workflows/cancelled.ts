import { CancellationScope, CancelledFailure, proxyActivities } from '@temporalio/workflow';
import type { OwnWorkflowActivities } from '../activities/types.ts';

const { requestOwnCancellation } = proxyActivities<OwnWorkflowActivities>({ startToCloseTimeout: '15 seconds' });

/**
 * Whether what runs here has been cancelled. A scope hears of its parent's cancellation only some microtasks later: with a
 * step's answer in the same workflow task, that is too late to keep the next step from being taken.
 */
export function isCancelled(): boolean {
  let scope: CancellationScope | undefined = CancellationScope.current();
  for (; scope !== undefined && scope.cancellable; scope = scope.parent) {
    if (scope.consideredCancelled) return true;
  }
  return false;
}

/**
 * Ends the workflow as cancelled. Temporal takes that only from a run that was asked to cancel, and a request does not
 * pass through continue-as-new: a run that went on with a cancelled build's final record updates asks for itself.
 *
 * @throws CancelledFailure
 */
export async function endAsCancelled(): Promise<never> {
  const scope = CancellationScope.current();
  if (!scope.consideredCancelled) {
    await CancellationScope.nonCancellable(() => requestOwnCancellation());
    await scope.cancelRequested.catch(() => undefined);
  }
  throw new CancelledFailure('the build was cancelled');
}
