/** What `start` and `resume` do once a build was started, or was not. */
import type { StartedBuild } from '../../start-role-build.ts';
import { viewFollowed } from './view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { followJob } from './follow.ts';
import { fields } from '../terminal/output.ts';
import type { Services } from '../services.ts';

/** What is printed of a build that was started and not waited for. */
export interface Started extends StartedBuild {
  /** The build was running already, and asks for the same. */
  attached?: true;
  /** The job that it resumes. */
  resumes?: string;
  /** The build that it polls on with. */
  build_id?: string;
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
  // A start that does not wait has nothing to draw.
  (await import('./show.ts')).showBuild(context, shown);
  return shown.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}
