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

/** Whether this run goes on from another, which hands it its {@link Progress}. */
export function isContinued(): boolean {
  return workflowInfo().continuedFromExecutionRunId !== undefined;
}

/** Has a worker check what no first put of this run checks. A cancellation waits for it: nothing is written before. */
export async function faultsOfCarried(input: RoleBuildInput, job: Job, { resumption }: Progress): Promise<Fault[]> {
  if (!patched('check-carried-input')) return [];
  return CancellationScope.nonCancellable(() =>
    resumption ? checkCarriedInput(input, job, resumption) : checkCarriedInput(input, job),
  );
}

/**
 * Whether Temporal suggests a new run, or another version of the workers has become the one for new builds: no old one then
 * has to be kept for the weeks that a build may take. A cancellation that is about to be acted on is not left behind.
 *
 * @param hasWaited whether this run has waited yet; one that somebody has pinned to its version by hand could otherwise go on
 *   in new runs without end
 */
export function isContinueAsNewDue(hasWaited: boolean): boolean {
  const { continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
  return (continueAsNewSuggested || (hasWaited && targetWorkerDeploymentVersionChanged)) && !isCancelled();
}

/**
 * Goes on in a new run, of the current version of the workers. Job ID and start time belong to the whole chain of runs; all
 * else that a build knows goes along in `progress`.
 *
 * @throws ContinueAsNew
 */
export function goOnAsNew(input: RoleBuildInput, progress: Progress): Promise<never> {
  return makeContinueAsNewFunc({ initialVersioningBehavior: 'AUTO_UPGRADE' })(input, progress);
}
