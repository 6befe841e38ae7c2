/** What really became of a job, as far as Temporal can tell. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { REFUSALS } from '../../domain/failures.ts';
import { historyEvents } from '../history-events.ts';
import type { Services } from '../services.ts';
import { findExecution, type Execution, type JobKey } from './execution.ts';
import { endOf, traceOf, type End, type Trace } from './trace.ts';

export interface Truth {
  /**
   * `running`; `ended`: the end is proved; `refused`: it ended by itself and wrote nothing; `lost`: it closed without an
   * end; `gone`: Temporal knows nothing of it.
   */
  state: 'running' | 'ended' | 'refused' | 'lost' | 'gone';
  workflow_id?: string;
  trace?: Trace;
  end?: End;
  /** Whether no newer job was started under the workflow's ID; not known where Temporal has none of that ID. */
  is_latest?: boolean;
  /** What became of the workflow: the end of a sentence about it. */
  how: string;
  /** What speaks against it. */
  doubt?: string;
}

/** @param startAt the job's, as its record says it @param patient waits a little for a job that may only just have begun */
export async function truthOf(
  services: Services,
  job: JobKey,
  startAt: string | undefined,
  { patient }: { patient: boolean },
): Promise<Truth> {
  const execution = await findExecution(services, job, patient ? startAt : undefined);
  if (execution === undefined) return gone(services, startAt);
  const { workflow_id: workflowId, run_id: runId } = execution;
  try {
    const events = historyEvents(services, { workflowId, runId }, { follow: false });
    return interpret(execution, await traceOf(events, services.payloadsOf(workflowId)));
  } catch (err) {
    // Retention may take it between two looks.
    if (err instanceof WorkflowNotFoundError) return gone(services, startAt);
    throw err;
  }
}

async function gone(services: Services, startAt: string | undefined): Promise<Truth> {
  const { namespace, client, temporal } = services;
  const truth: Truth = { state: 'gone', how: `is not known to Temporal (any more) in namespace ${namespace}` };
  const { config } = await temporal(() => client.workflowService.describeNamespace({ namespace }));
  const keptMs = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  if (!(Date.now() - Date.parse(startAt ?? '') < keptMs)) return truth;
  const kept = `Temporal keeps a workflow for ${keptMs / 3_600_000} h after its end, so it was deleted`;
  return { ...truth, doubt: `${kept}, or it ran in another namespace or on another server than this` };
}

/** What the latest run of a job proves. */
export function interpret({ workflow_id, is_latest }: Execution, trace: Trace): Truth {
  const { build, decided } = trace;
  const common = { workflow_id, is_latest, trace };
  const ended = (end: End, how: string): Truth => ({ ...common, state: 'ended', end, how });
  const { closed, outcome, failure } = build;
  if (closed === undefined) return { ...common, state: 'running', how: 'is running' };
  if (outcome !== undefined) {
    return ended(endOf(outcome.status, outcome.build_id, outcome.error_info), `ended ${outcome.status}`);
  }
  if (closed === 'CANCELED') return ended(endOf('CANCELLED', build.build_id), 'ended CANCELLED');
  if (failure !== undefined && Object.hasOwn(REFUSALS, failure.Error)) {
    return { ...common, state: 'refused', how: `ended as ${failure.Error}: ${failure.Cause}` };
  }
  const how =
    trace.closedHow ??
    (failure === undefined
      ? `closed as ${closed} without saying how the build ended`
      : `failed without recording it: ${failure.Error}: ${failure.Cause}`);
  if (decided !== undefined) return ended(decided, `${how}, when ${decided.status} was about to be recorded`);
  return { ...common, state: 'lost', how };
}
