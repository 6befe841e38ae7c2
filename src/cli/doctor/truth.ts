/** What really became of a job, as far as Temporal can tell. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { REFUSALS } from '../../domain/failures.ts';
import { workflowIdOf } from '../../domain/identity.ts';
import { findJob, type Execution, type FoundJob } from '../find-build.ts';
import { GRPC_STATUS, grpcErrorOf } from '../grpc.ts';
import { historyEvents } from '../history-events.ts';
import type { Services } from '../services.ts';
import type { Namespace } from './namespace.ts';
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
  /** Why what Temporal does not have may be somewhere else all the same: nothing is written on the strength of it unless a person says so. */
  doubt?: string;
}

/** A job as its records name it. */
export interface JobKey {
  job_id: string;
  account_id?: string | undefined;
  resource?: string | undefined;
  start_at?: string | undefined;
}

export async function truthOf(services: Services, job: JobKey, namespace: Namespace): Promise<Truth> {
  const { job_id, account_id, resource } = job;
  const isNamed = account_id !== undefined && resource !== undefined;
  const workflow = isNamed ? workflowIdOf(account_id, resource) : undefined;
  const { execution, unsure } = await findJob(services, job_id, workflow).catch((err: unknown): FoundJob => {
    // The search attribute that it is searched by is not there, or is another's.
    if (grpcErrorOf(err)?.code === GRPC_STATUS.INVALID_ARGUMENT) return { unsure: (err as Error).message };
    throw err;
  });
  const gone = async (): Promise<Truth> => {
    const doubt = unsure ?? (await namespace.doubtOf(job));
    const how = `is not known to Temporal (any more) in namespace ${namespace.name}`;
    return { state: 'gone', how, ...(doubt === undefined ? {} : { doubt }) };
  };
  if (execution === undefined) return gone();
  const { workflow_id: workflowId, run_id: runId } = execution;
  try {
    const events = historyEvents(services, { workflowId, runId }, { follow: false });
    return interpret(execution, await traceOf(events, services.payloadsOf(workflowId)));
  } catch (err) {
    // Retention may take it between two looks.
    if (err instanceof WorkflowNotFoundError) return gone();
    throw err;
  }
}

/** What the latest run of a job proves. */
export function interpret(
  { workflow_id, is_latest }: Pick<Execution, 'workflow_id' | 'is_latest'>,
  trace: Trace,
): Truth {
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
    // The end that it wrote to no record, since there was none.
    const end = decided === undefined ? {} : { end: decided };
    return { ...common, state: 'refused', ...end, how: `ended as ${failure.Error}: ${failure.Cause}` };
  }
  const how =
    trace.closedHow ??
    (failure === undefined
      ? `closed as ${closed} without saying how the build ended`
      : `failed without recording it: ${failure.Error}: ${failure.Cause}`);
  if (decided !== undefined) return ended(decided, `${how}, when ${decided.status} was about to be recorded`);
  // Its next run closed later, so that retention has not taken it.
  const doubt =
    closed === 'CONTINUED_AS_NEW' ? { doubt: 'that run was deleted, or is on another server than this' } : {};
  return { ...common, state: 'lost', how, ...doubt };
}
