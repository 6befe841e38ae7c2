import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import type { Progress } from './progress.ts';
import type { roleBuild } from './role-build.ts';

/** Whether Temporal suggests it. A cancellation that is about to be acted on is not left behind. */
export function isContinueAsNewDue(): boolean {
  return workflowInfo().continueAsNewSuggested && !isCancelled();
}

/**
 * Goes on in a new run. Job ID and start time belong to the whole chain of runs; all else that a build knows goes along in
 * `progress`.
 *
 * @throws ContinueAsNew
 */
export function goOnAsNew(input: RoleBuildInput, progress: Progress): Promise<never> {
  return continueAsNew<typeof roleBuild>(input, progress);
}
