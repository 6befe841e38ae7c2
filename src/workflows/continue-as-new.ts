import {
  CancellationScope,
  makeContinueAsNewFunc,
  patched,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { OwnWorkflowActivities } from '../activities/types.ts';
import type { Job } from '../domain/identity.ts';
import type { Progress } from '../domain/progress.ts';
import type { Fault, RoleBuildInput } from '../domain/role-build-input.ts';
import { checkOfCarried } from './activity-options.ts';
import { isCancelled } from './cancelled.ts';

const { checkCarriedInput } = proxyLocalActivities<OwnWorkflowActivities>(checkOfCarried);

/** Whether this run continues another one, which gives it its {@link Progress}. */
export function isContinued(): boolean {
  return workflowInfo().continuedFromExecutionRunId !== undefined;
}

/** Checks the carried input as a first put would. A cancellation waits for it, so nothing is written before. */
export async function faultsOfCarried(input: RoleBuildInput, job: Job, { resumption }: Progress): Promise<Fault[]> {
  if (!patched('check-carried-input')) return [];
  return CancellationScope.nonCancellable(() =>
    resumption ? checkCarriedInput(input, job, resumption) : checkCarriedInput(input, job),
  );
}

/**
 * Whether Temporal suggests a new run, or another worker version has become current, so that no old version has to be
 * kept for the weeks that a build may take. Not if the run is cancelled, because the new run would not know of it.
 *
 * @param hasWaited whether this run has waited yet. A run that has not ignores a new version: one that somebody pinned
 *   by hand could otherwise continue as new without end
 */
export function isContinueAsNewDue(hasWaited: boolean): boolean {
  const { continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
  return (continueAsNewSuggested || (hasWaited && targetWorkerDeploymentVersionChanged)) && !isCancelled();
}

/**
 * Continues as new on the current worker version. The job ID belongs to the whole chain of runs; `progress` carries
 * everything else.
 *
 * @throws ContinueAsNew
 */
export function goOnAsNew(input: RoleBuildInput, progress: Progress): Promise<never> {
  return makeContinueAsNewFunc({ initialVersioningBehavior: 'AUTO_UPGRADE' })(input, progress);
}
