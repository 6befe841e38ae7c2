/** A build as Temporal's visibility knows it, under the records' names. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { parseRoleBuildId, searchAttributes } from '../contract.ts';
import { isOpen, isPaused } from '../domain/execution-status.ts';
import type { BuildHistory } from './build-history.ts';
import { newBuildHistory, takeEvent } from './build-history.ts';
import { historyEvents } from './history-events.ts';
import type { Services } from './services.ts';

export interface ListedBuild {
  workflow_id: string;
  job_id: string;
  run_id: string;
  account_id?: string;
  resource?: string;
  build_type?: string;
  action?: string;
  custom_role_name?: string;
  dry_run?: boolean;
  start_at: string;
  /** As the record's, or Temporal's word where it ended with no record's end. */
  status: string;
  /** `PAUSED`, where somebody has paused it. */
  execution_status?: string;
  correlation_id?: string;
  closed_at?: string;
  ui_url?: string;
}

const STATUS_OF: Readonly<Record<string, string>> = {
  COMPLETED: 'COMPLETE',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

export async function listedBuild(services: Services, info: WorkflowExecutionInfo): Promise<ListedBuild> {
  const { workflowId, runId, status, startTime, closeTime, typedSearchAttributes: attributes } = info;
  const key = parseRoleBuildId(workflowId);
  const claimed = attributes.get(searchAttributes.JobId) || info.raw.firstRunId || runId;
  const job = claimed === runId ? { job_id: runId, start_at: startTime.toISOString() } : await jobOf(services, info);
  const ui_url = services.uiUrl(workflowId, runId);
  return present({
    workflow_id: workflowId,
    job_id: job.job_id,
    run_id: runId,
    account_id: attributes.get(searchAttributes.AccountId) ?? key?.accountId,
    // A Keyword may be cut; a workflow ID is not.
    resource: key?.resource ?? attributes.get(searchAttributes.Resource),
    build_type: attributes.get(searchAttributes.BuildType),
    action: attributes.get(searchAttributes.BuildAction),
    custom_role_name: attributes.get(searchAttributes.CustomRoleName),
    dry_run: attributes.get(searchAttributes.DryRun),
    start_at: job.start_at,
    status: isOpen(status.name) ? 'IN_PROGRESS' : (STATUS_OF[status.name] ?? status.name),
    execution_status: isPaused(status.name) ? status.name : undefined,
    correlation_id: attributes.get(searchAttributes.CorrelationId),
    closed_at: closeTime?.toISOString(),
    ui_url,
  });
}

/** A run that continued as new began later than its job. Which job it is, its first event says; a search attribute, its starter. */
async function jobOf(
  services: Services,
  { workflowId, runId, startTime }: WorkflowExecutionInfo,
): Promise<{ job_id: string; start_at: string }> {
  const build: BuildHistory = newBuildHistory();
  for await (const event of historyEvents(services, { workflowId, runId }, { follow: false, pageSize: 1 })) {
    await takeEvent(build, event, services.payloadsOf(workflowId));
    break;
  }
  return { job_id: build.job_id || runId, start_at: build.start_at ?? startTime.toISOString() };
}

function present(values: { [K in keyof ListedBuild]: ListedBuild[K] | undefined }): ListedBuild {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as unknown as ListedBuild;
}
