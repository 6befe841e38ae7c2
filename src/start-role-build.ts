import {
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import {
  InternalWorkflowStartOptionsSymbol,
  type InternalWorkflowStartOptions,
} from '@temporalio/client/lib/internal.js';
import { TypedSearchAttributes } from '@temporalio/common';
import {
  DEFAULT_TASK_QUEUE,
  ROLE_BUILD_WORKFLOW_TYPE,
  searchAttributesOf,
  summaryOf,
  workflowIdOf,
} from './contract.ts';
import { hasGrpcStatus } from './domain/grpc.ts';
import type { Resumption } from './domain/resumption.ts';
import type { RoleBuildInput } from './domain/role-build-input.ts';
import { describeFaults, inputFaults, type Fault } from './domain/validate-input.ts';

/** The input was refused before anything was started. */
export class InvalidInputError extends Error {
  override name = 'InvalidInputError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(`the input is not valid: ${describeFaults(faults)}`);
    this.faults = faults;
  }
}

/** A build of the same account and resource is in progress. */
export class BuildInProgressError extends Error {
  override name = 'BuildInProgressError';
  readonly workflowId: string;
  readonly jobId: string;

  constructor(workflowId: string, jobId: string) {
    super(`job ${jobId} already builds this resource in this account (workflow ${workflowId})`);
    this.workflowId = workflowId;
    this.jobId = jobId;
  }
}

/** A started build, under the attribute names of the records. */
export interface StartedBuild {
  workflow_id: string;
  job_id: string;
  correlation_id: string;
  status: 'IN_PROGRESS';
}

/**
 * Starts a build: checks the input, then starts the workflow under the ID of its account and resource.
 *
 * @param input the state machine's execution input
 * @param options `resumption` if the build takes over from an earlier job of the same request. `requestId` makes the
 *   start idempotent: if it already started the last execution of the workflow ID, running or closed, that execution is
 *   returned and nothing is started. This no longer holds once that execution has continued as new
 * @throws InvalidInputError with every fault; nothing was started
 * @throws BuildInProgressError if a build is running for the same account and resource
 * @throws ServiceError of `@temporalio/client` if Temporal refuses or can't be reached
 */
export async function startRoleBuild(
  client: Client,
  input: RoleBuildInput,
  options: { taskQueue?: string; resumption?: Resumption; requestId?: string } = {},
): Promise<StartedBuild> {
  const faults = inputFaults(input);
  if (faults.length > 0) throw new InvalidInputError(faults);
  const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
  // The running build may close between the refusal and the lookup of its job. Then the start is tried again.
  for (let tries = 1; ; tries += 1) {
    try {
      const startOptions: WorkflowStartOptions & InternalWorkflowStartOptions = {
        workflowId,
        taskQueue: options.taskQueue ?? DEFAULT_TASK_QUEUE,
        args: options.resumption === undefined ? [input] : [input, options.resumption],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        typedSearchAttributes: new TypedSearchAttributes(searchAttributesOf(input)),
        staticSummary: summaryOf(input),
        ...(options.requestId && { [InternalWorkflowStartOptionsSymbol]: { requestId: options.requestId } }),
      };
      const handle = await client.workflow.start(ROLE_BUILD_WORKFLOW_TYPE, startOptions);
      return {
        workflow_id: workflowId,
        job_id: handle.firstExecutionRunId,
        correlation_id: input.correlation_id,
        status: 'IN_PROGRESS',
      };
    } catch (err) {
      if (!(err instanceof WorkflowExecutionAlreadyStartedError)) throw err;
      const jobId = await runningJobOf(client, workflowId);
      if (jobId !== undefined) throw new BuildInProgressError(workflowId, jobId);
      if (tries === 5) throw err;
    }
  }
}

async function runningJobOf(client: Client, workflowId: string): Promise<string | undefined> {
  // The client's own `describe` would decode the memo, which may be undecodable, since any client may have set it.
  const request = { namespace: client.options.namespace, execution: { workflowId } };
  try {
    const { workflowExecutionInfo: info } = await client.workflowService.describeWorkflowExecution(request);
    return info?.closeTime == null ? (info?.firstRunId ?? undefined) : undefined;
  } catch (err) {
    if (hasGrpcStatus(err, 'NOT_FOUND')) return undefined;
    if (!isGrpcServiceError(err)) throw err;
    throw new ServiceError('Failed to describe the workflow that runs', { cause: err });
  }
}
