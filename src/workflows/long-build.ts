import { makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import type { Progress } from './progress.ts';
import type { roleBuild } from './role-build.ts';

/**
 * Goes on in a new run where Temporal suggests it, or where another version of the workers has become the one for new
 * builds: the new run is of that version, so that no old one has to be kept for the weeks that a build may take. Job ID and
 * start time belong to the whole chain of runs; all else that a build knows goes along in `progress`. A cancellation that is
 * about to be acted on is not left behind.
 *
 * @param hasWaited whether this run has waited yet; one that somebody has pinned to its version by hand could otherwise go on
 *   in new runs without end
 * @throws ContinueAsNew
 */
export async function continueAsNewIfSuggested(
  input: RoleBuildInput,
  progress: Progress,
  hasWaited: boolean,
): Promise<void> {
  const { continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
  const isSuggested = continueAsNewSuggested || (hasWaited && targetWorkerDeploymentVersionChanged);
  if (!isSuggested || isCancelled()) return;
  const continueAsNew = makeContinueAsNewFunc<typeof roleBuild>({ initialVersioningBehavior: 'AUTO_UPGRADE' });
  await continueAsNew(input, progress);
}
