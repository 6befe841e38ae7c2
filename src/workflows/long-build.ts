import { makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import type { Progress } from './progress.ts';
import type { roleBuild } from './role-build.ts';

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
  const continueAsNew = makeContinueAsNewFunc<typeof roleBuild>({ initialVersioningBehavior: 'AUTO_UPGRADE' });
  return continueAsNew(input, progress);
}
