/** A build as Temporal's visibility knows it, with the records' field names. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { parseRoleBuildId, searchAttributes } from '../../contract.ts';
import { isOpen, isPaused } from '../../domain/execution-status.ts';
import { defined } from '../../domain/defined.ts';
import type { Services } from '../services.ts';
import { undefinedIf } from '../errors/expected.ts';
import { CliError } from '../errors/cli-error.ts';
import { readStarted } from './events.ts';

export type ListedBuild = Awaited<ReturnType<typeof listedBuild>>;

/** The record's status for an execution that ended on its own, by Temporal's status. */
export const END_OF: Readonly<Record<string, string>> = {
  COMPLETED: 'COMPLETE',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

/** Whether the error concerns this execution only, such as a deleted one. A CliError is the failure of a service. */
const isOfThisOne = (err: unknown) => !(err instanceof CliError);

export async function listedBuild(services: Services, info: WorkflowExecutionInfo) {
  const { workflowId, runId, status, startTime, closeTime, typedSearchAttributes: attributes } = info;
  const key = parseRoleBuildId(workflowId);
  const claimed = attributes.get(searchAttributes.JobId) || info.raw.firstRunId || runId;
  // A later run began after its job did. Its first event names the job; a search attribute is set by the starter.
  const started =
    claimed === runId ? undefined : await undefinedIf(isOfThisOne, readStarted(services, { workflowId, runId }));
  return defined({
    workflow_id: workflowId,
    job_id: started?.job_id || runId,
    run_id: runId,
    // Prefers the workflow ID: a Keyword may be cut, and until the workflow begins it holds what the starter set.
    account_id: key?.account_id ?? attributes.get(searchAttributes.AccountId),
    resource: key?.resource ?? attributes.get(searchAttributes.Resource),
    build_type: attributes.get(searchAttributes.BuildType),
    action: attributes.get(searchAttributes.BuildAction),
    custom_role_name: attributes.get(searchAttributes.CustomRoleName),
    dry_run: attributes.get(searchAttributes.DryRun),
    start_at: started?.start_at ?? startTime.toISOString(),
    /** The record's status, or Temporal's if no record status fits its end. */
    status: isOpen(status.name) ? 'IN_PROGRESS' : (END_OF[status.name] ?? status.name),
    /** `PAUSED` if the execution is paused. */
    execution_status: isPaused(status.name) ? status.name : undefined,
    correlation_id: attributes.get(searchAttributes.CorrelationId),
    closed_at: closeTime?.toISOString(),
    ui_url: services.uiUrl(workflowId, runId),
  });
}
