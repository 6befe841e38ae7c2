/** Finds out what became of a job, as far as Temporal can tell. */
import { parseRoleBuildId } from '../../../contract.ts';
import { isOpen } from '../../../domain/execution-status.ts';
import { errorInfo, isRefusalName } from '../../../domain/failures.ts';
import { workflowIdOf } from '../../../domain/identity.ts';
import { readEvents } from '../../build/events.ts';
import { findJob, isUnknown, type Execution, type FoundJob } from '../../build/find.ts';
import { CliError } from '../../errors/cli-error.ts';
import { hasGrpcStatus } from '../../../domain/grpc.ts';
import type { Services } from '../../services.ts';
import type { ApiAnswer } from './ask-api.ts';
import type { Named } from './facts.ts';
import type { DoubtOf } from './namespace.ts';
import { needsGroup, traceOf, type End, type Trace } from './trace.ts';

/** A job's last run, if Temporal still has it. */
interface Run {
  workflow_id: string;
  /** Whether no newer job was started under the workflow ID. */
  is_latest: boolean;
  trace: Trace;
}

export type ActualState = {
  /** What became of the workflow, as the end of a sentence about it. */
  how: string;
  /** Why this may be wrong. Nothing is written because of it unless a person agrees. */
  doubt?: string | undefined;
} & (
  | { state: 'running'; run: Run }
  /** The end is proved. */
  | { state: 'ended'; run: Run; end: End }
  /** It ended on its own and wrote nothing. */
  | { state: 'refused'; run: Run; end?: End | undefined }
  /** It closed without an end. */
  | { state: 'lost'; run: Run }
  /** Temporal knows nothing of it. */
  | { state: 'gone'; run?: undefined }
);

/** A workflow that has closed can't be read; `cause` says why. */
export class ClosedUnreadable extends Error {
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message);
    this.cause = cause;
  }
}

/** @param start_at when the job began, as its record says */
export async function actualStateOf(
  services: Services,
  job: Named & { job_id: string; start_at: string | undefined },
  doubtOf: DoubtOf,
): Promise<ActualState> {
  const { job_id, account_id, resource } = job;
  const isNamed = account_id !== undefined && resource !== undefined;
  const workflow = isNamed ? workflowIdOf(account_id, resource) : undefined;
  const {
    execution,
    isLatest = false,
    unsure,
  } = await findJob(services, job_id, workflow).catch((err: unknown): FoundJob => {
    // The search attribute JobId is not registered, or has another type.
    if (hasGrpcStatus(err, 'INVALID_ARGUMENT')) return { unsure: (err as Error).message };
    throw err;
  });
  if (execution !== undefined) {
    const { workflowId, runId, status } = execution;
    try {
      const trace = await traceOf(readEvents(services, { workflowId, runId }), services.payloadsOf(workflowId));
      const run = { workflow_id: workflowId, is_latest: isLatest, trace };
      const doubt = lookAtStarter(execution, trace, services.taskQueue);
      return doubt === undefined ? interpret(run) : { ...interpret(run), doubt };
    } catch (err) {
      // Retention may delete the execution between two reads.
      if (!isUnknown(err))
        throw err instanceof CliError || isOpen(status.name) ? err : new ClosedUnreadable(err as Error);
    }
  }
  const how = `is not known to Temporal (any more) in namespace ${services.namespace}`;
  return { state: 'gone', how, doubt: unsure ?? (await doubtOf(job)) };
}

/**
 * Any client may start a workflow called a build, and have its own worker answer it. If the input is not that of a
 * build under the workflow ID, clears the trace. On another task queue, it is in doubt what the workflow has put.
 *
 * @returns why it may not be a build
 */
function lookAtStarter({ workflowId, taskQueue }: Execution, trace: Trace, ours: string): string | undefined {
  if (taskQueue !== ours) trace.doubt = `it runs on the task queue ${JSON.stringify(taskQueue)}, not on ${ours}`;
  if (parseRoleBuildId(workflowId) !== undefined && trace.build.workflow_id === workflowId) return undefined;
  trace.written.clear();
  for (const name of ['input', 'outcome', 'build_id'] as const) delete trace.build[name];
  delete trace.decided;
  return 'its input is not that of a build under its workflow ID';
}

/** Returns what the latest run of a job proves. */
export function interpret(run: Run): ActualState {
  const { trace } = run;
  const { build, decided } = trace;
  const { closed, outcome, failure } = build;
  if (closed === undefined) return { state: 'running', run, how: 'is running' };
  if (outcome !== undefined) {
    const { status, build_id, error_info, directory_group } = outcome;
    return { state: 'ended', run, end: { status, build_id, error_info, directory_group }, how: `ended ${status}` };
  }
  if (closed === 'CANCELED') {
    const end = { ...decided, status: 'CANCELLED' as const, build_id: build.build_id };
    return { state: 'ended', run, end, how: 'ended CANCELLED' };
  }
  if (isRefusalName(failure?.Error)) {
    // The workflow wrote its end to no record, since there was none.
    return { state: 'refused', run, end: decided, how: `ended as ${failure.Error}: ${failure.Cause}` };
  }
  const how = howItWasLost(trace);
  if (decided !== undefined) {
    return { state: 'ended', run, end: decided, how: `${how}, when ${decided.status} was about to be recorded` };
  }
  // The next run closed later than this one, so retention can't have deleted it first.
  const doubt = closed === 'CONTINUED_AS_NEW' ? 'that run was deleted, or is on another server than this' : undefined;
  return { state: 'lost', run, how, doubt };
}

function howItWasLost({ build: { closed, failure }, terminatedBy }: Trace): string {
  if (terminatedBy !== undefined) return `was terminated by ${terminatedBy}`;
  if (closed === 'TIMED_OUT') return 'timed out';
  if (closed === 'CONTINUED_AS_NEW') return 'went on in a run that Temporal no longer has';
  return failure === undefined
    ? `closed as ${closed} without saying how the build ended`
    : `failed without recording it: ${failure.Error}: ${failure.Cause}`;
}

/** Returns the end of a job that wrote none: the build API's answer if it tells the whole end, else `ExecutionLost`. */
export function lostEnd({ run, how }: ActualState, buildId: string | undefined, answer: ApiAnswer | undefined): End {
  const isHalf = answer?.end !== undefined && run !== undefined && needsGroup(run.trace, answer.end);
  if (answer?.end !== undefined && !isHalf) return answer.end;
  const said = answer === undefined ? '' : `; ${answer.says}`;
  const wasNeverTriggered = run?.trace.triggered === false && buildId === undefined;
  const build = wasNeverTriggered ? 'the build was never triggered' : `how the build ended is not known${said}`;
  const step = run?.trace.step === undefined ? '' : `${run.trace.step}: `;
  const error_info = errorInfo('ExecutionLost', `${step}the workflow ${how}; ${build}`);
  if (run?.trace.group_sent_to !== undefined) error_info.sent_to = run.trace.group_sent_to;
  return { status: 'FAILED', build_id: buildId, error_info };
}
