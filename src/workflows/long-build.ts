import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isCancelled } from './cancelled.ts';
import type { Progress } from './progress.ts';
import type { roleBuild } from './role-build.ts';

/**
 * Goes on in a new run where Temporal suggests it. Job ID and start time belong to the whole chain of runs; all else
 * that a build knows goes along in `progress`. A cancellation that is about to be acted on is not left behind.
 *
 * @throws ContinueAsNew
 */
export async function continueAsNewIfSuggested(input: RoleBuildInput, progress: Progress): Promise<void> {
  if (!workflowInfo().continueAsNewSuggested || isCancelled()) return;
  await continueAsNew<typeof roleBuild>(input, progress);
}
