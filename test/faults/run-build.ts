import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { startRoleBuild } from '../../src/index.ts';

/** Starts a build and waits for its end. @returns the fields of it that `start --wait --json` would print */
export async function runBuild(
  client: Client,
  input: RoleBuildInput,
  taskQueue?: string,
): Promise<Record<string, unknown>> {
  const { workflow_id, job_id } = await startRoleBuild(client, input, taskQueue === undefined ? {} : { taskQueue });
  try {
    return { ...((await client.workflow.result(workflow_id, job_id)) as RoleBuildOutcome) };
  } catch (err) {
    if (!(err instanceof WorkflowFailedError)) throw err;
    const { cause } = err;
    if (!(cause instanceof ApplicationFailure)) return { status: 'CANCELLED', job_id };
    return { ...(cause.details?.[0] as RoleBuildOutcome) };
  }
}
