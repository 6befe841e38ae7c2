/** What `start` and `resume` do after a start, whether it succeeded or failed. */
import { workflowIdOf } from '../../contract.ts';
import { hasGrpcStatus } from '../../domain/grpc.ts';
import type { Resumption } from '../../domain/resumption.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { startRoleBuild, type StartedBuild } from '../../start-role-build.ts';
import { viewFollowed } from './view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { followJob } from './follow.ts';
import { quoted } from './next-step.ts';
import { fields } from '../terminal/output.ts';
import type { Services } from '../services.ts';

/** What is printed about a build that was started without `--wait`. */
export interface Started extends StartedBuild {
  /** The build was already running, and its request is the same. */
  attached?: true;
  /** The job that this one resumes. */
  resumes?: string;
  /** The build that this job goes on polling. */
  build_id?: string;
}

/** Starts a build. @throws CliError that says so if there was no answer and the build may have been started */
export async function startBuild(
  { client, taskQueue, temporal }: Services,
  input: RoleBuildInput,
  resumption?: Resumption,
): Promise<StartedBuild> {
  try {
    return await temporal(() => startRoleBuild(client, input, { taskQueue, ...(resumption && { resumption }) }));
  } catch (err) {
    if (!(err instanceof CliError) || !hasGrpcStatus(err, 'DEADLINE_EXCEEDED', 'UNAVAILABLE')) throw err;
    const { build_body, ddb_composite_sort_key: resource, correlation_id } = input;
    const { account_id } = build_body;
    const hint = `the build may have been started: role-build status ${account_id} ${quoted(resource)} shows whether it was`;
    const named = { workflow_id: workflowIdOf(account_id, resource), correlation_id };
    throw new CliError(err.reason, err.message, { ...err.details, hint, fields: named });
  }
}

/** Prints a build that was started, or follows it to its end. */
export async function showStarted(
  context: CommandContext,
  services: Services,
  started: Started,
  wait: boolean,
): CommandResult {
  const { output } = context;
  if (!wait) {
    if (context.json) output.json(started);
    else output.line(fields({ ...started }));
    return 'done';
  }
  const { workflow_id: workflowId, job_id: jobId } = started;
  output.note(`${started.attached ? 'joined' : 'started'} job ${jobId} of ${workflowId}`);
  const build = await followJob(services, workflowId, jobId);
  if (build.failure?.Error === 'HeldByStepFunctions') {
    throw new CliError('inProgress', build.failure.Cause, { fields: { workflow_id: workflowId, job_id: jobId } });
  }
  const shown = await viewFollowed(services, { name: workflowId, workflowId, jobId }, build);
  // Loaded only here, because a start without `--wait` draws nothing.
  (await import('./show.ts')).showBuild(context, shown);
  return shown.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}
