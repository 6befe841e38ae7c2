import { CancellationScope, CancelledFailure, proxyActivities } from '@temporalio/workflow';
import type { OwnWorkflowActivities } from '../activities/types.ts';

const { requestOwnCancellation } = proxyActivities<OwnWorkflowActivities>({ startToCloseTimeout: '15 seconds' });

/**
 * Whether the current scope or a parent of it is cancelled. A scope learns of its parent's cancellation some microtasks
 * later. If a step's result is in the same workflow task, that is too late to prevent the next step.
 */
export function isCancelled(): boolean {
  let scope: CancellationScope | undefined = CancellationScope.current();
  for (; scope !== undefined && scope.cancellable; scope = scope.parent) {
    if (scope.consideredCancelled) return true;
  }
  return false;
}

/**
 * Ends the workflow as cancelled. Temporal accepts that only from a run with a cancellation request, which does not
 * pass through continue-as-new. So a run that continued a cancelled build requests its own cancellation.
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
