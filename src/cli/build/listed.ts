/** A build as Temporal's visibility knows it, under the records' names. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { parseRoleBuildId, searchAttributes } from '../../contract.ts';
import { isOpen, isPaused } from '../../domain/execution-status.ts';
import { defined } from '../../domain/defined.ts';
import type { Services } from '../services.ts';
import { undefinedIf } from '../errors/expected.ts';
import { CliError } from '../errors/cli-error.ts';
import { readStarted } from './events.ts';

export type ListedBuild = Awaited<ReturnType<typeof listedBuild>>;

/** The record's status of a workflow that closed by itself, by Temporal's status. */
export const END_OF: Readonly<Record<string, string>> = {
  COMPLETED: 'COMPLETE',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

/** Whether only this execution can't be read, as one that is deleted meanwhile, and no service is away. */
const isOfThisOne = (err: unknown) => !(err instanceof CliError);

export async function listedBuild(services: Services, info: WorkflowExecutionInfo) {
  const { workflowId, runId, status, startTime, closeTime, typedSearchAttributes: attributes } = info;
  const key = parseRoleBuildId(workflowId);
  const claimed = attributes.get(searchAttributes.JobId) || info.raw.firstRunId || runId;
  // A run that continued as new began later than its job. Its first event says which job it is; a search attribute is the starter's word.
  const started =
    claimed === runId ? undefined : await undefinedIf(isOfThisOne, readStarted(services, { workflowId, runId }));
  return defined({
    workflow_id: workflowId,
    job_id: started?.job_id || runId,
    run_id: runId,
    // The workflow ID first: a Keyword may be cut, and says what the starter likes until the workflow begins.
    account_id: key?.account_id ?? attributes.get(searchAttributes.AccountId),
    resource: key?.resource ?? attributes.get(searchAttributes.Resource),
    build_type: attributes.get(searchAttributes.BuildType),
    action: attributes.get(searchAttributes.BuildAction),
    custom_role_name: attributes.get(searchAttributes.CustomRoleName),
    dry_run: attributes.get(searchAttributes.DryRun),
    start_at: started?.start_at ?? startTime.toISOString(),
    /** As the record's, or Temporal's word if no record tells of its end. */
    status: isOpen(status.name) ? 'IN_PROGRESS' : (END_OF[status.name] ?? status.name),
    /** `PAUSED` if somebody has paused it. */
    execution_status: isPaused(status.name) ? status.name : undefined,
    correlation_id: attributes.get(searchAttributes.CorrelationId),
    closed_at: closeTime?.toISOString(),
    ui_url: services.uiUrl(workflowId, runId),
  });
}
