/** Finding a job's execution in Temporal: its latest run, through continue-as-new and resets. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { searchAttributes } from '../../contract.ts';
import { isRunId, WORKFLOW_ID_MAX_BYTES, workflowIdOf } from '../../domain/identity.ts';
import { CliError } from '../errors.ts';
import { historyEvents } from '../history-events.ts';
import type { Services } from '../services.ts';

/** The run of a job that came last, as far as Temporal still has it. */
export interface Execution {
  workflow_id: string;
  run_id: string;
  /** Temporal's word for it. */
  status: string;
  first_run_id: string;
  /** Whether no newer job has been started under its workflow ID. */
  is_latest: boolean;
}

export interface JobKey {
  job_id: string;
  account_id?: string;
  resource?: string;
}

/** Visibility is a step behind: a job that has only just begun may not be in it yet. */
const YOUNG_MS = 30_000;
const YOUNG_LOOKS = 10;
const YOUNG_LOOK_EVERY_MS = 300;

/** Whether the job is what runs under its workflow ID: one call, for the many that are as they should be. */
export async function isRunning(services: Services, job: JobKey): Promise<boolean> {
  const latest = await describeId(services, job);
  return latest !== undefined && isOpen(latest.status) && latest.first_run_id === job.job_id;
}

/** Whether a workflow of that status, in Temporal's word, may still go on. */
export function isOpen(status: string): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}

/**
 * @param startAt the job's, as its record says it, to wait a little for one that may only just have begun; `undefined` where
 *   that has been done
 * @returns `undefined` where Temporal knows nothing of the job
 */
export async function findExecution(
  services: Services,
  job: JobKey,
  startAt: string | undefined,
): Promise<Execution | undefined> {
  const latest = await describeId(services, job);
  if (latest?.first_run_id === job.job_id) return latest;
  if (!isRunId(job.job_id)) return undefined;
  if (latest !== undefined) {
    const first = await describe(services, latest.workflow_id, job.job_id);
    if (first !== undefined) return { ...(await lastOfChain(services, first)), is_latest: false };
  }
  // Another client than ours may have started it under an ID of its own; or its first run is no longer kept.
  const isYoung = Math.abs(Date.now() - Date.parse(startAt ?? '')) < YOUNG_MS;
  for (let looks = 1; ; looks += 1) {
    const found = await findByJobId(services, job.job_id);
    if (found !== undefined) return { ...found, is_latest: latest === undefined };
    if (!isYoung || latest !== undefined || looks === YOUNG_LOOKS) return undefined;
    await new Promise((resolve) => setTimeout(resolve, YOUNG_LOOK_EVERY_MS));
  }
}

async function describeId(services: Services, { account_id, resource }: JobKey): Promise<Execution | undefined> {
  if (account_id === undefined || resource === undefined) return undefined;
  const workflowId = workflowIdOf(account_id, resource);
  // Records of the original may be longer than any workflow ID.
  return Buffer.byteLength(workflowId) > WORKFLOW_ID_MAX_BYTES ? undefined : describe(services, workflowId);
}

async function describe(services: Services, workflowId: string, runId?: string): Promise<Execution | undefined> {
  try {
    const {
      status,
      raw,
      runId: described,
    } = await services.temporal(() => services.client.workflow.getHandle(workflowId, runId).describe());
    const first_run_id = raw.workflowExecutionInfo?.firstRunId ?? '';
    return { workflow_id: workflowId, run_id: described, status: status.name, first_run_id, is_latest: true };
  } catch (err) {
    // What Temporal refuses as an ID, it has no workflow of.
    if (err instanceof WorkflowNotFoundError || (err instanceof CliError && err.reason === 'usage')) return undefined;
    throw err;
  }
}

async function lastOfChain(services: Services, first: Execution): Promise<Execution> {
  let last = first;
  while (last.status === 'CONTINUED_AS_NEW') {
    const nextRunId = await nextRunIdOf(services, last);
    const next = nextRunId === undefined ? undefined : await describe(services, last.workflow_id, nextRunId);
    if (next === undefined) return last;
    last = next;
  }
  return last;
}

async function nextRunIdOf(services: Services, { workflow_id: workflowId, run_id: runId }: Execution) {
  for await (const event of historyEvents(services, { workflowId, runId }, { follow: false })) {
    const next = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    if (typeof next === 'string') return next;
  }
  return undefined;
}

async function findByJobId(services: Services, jobId: string): Promise<Execution | undefined> {
  const query = `${searchAttributes.JobId.name} = '${jobId}'`;
  const runs = await services.temporal(async () => {
    const found: { workflowId: string; runId: string }[] = [];
    for await (const { workflowId, runId, status } of services.client.workflow.list({ query, pageSize: 10 })) {
      if (status.name !== 'CONTINUED_AS_NEW') found.push({ workflowId, runId });
      if (found.length === 10) break;
    }
    return found;
  });
  for (const { workflowId, runId } of runs) {
    const execution = await describe(services, workflowId, runId);
    if (execution !== undefined) return execution;
  }
  return undefined;
}
