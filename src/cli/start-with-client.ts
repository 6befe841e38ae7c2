/** `start` with Temporal's client: what a bare call can't do, and why a build was not started. */
import { isDeepStrictEqual } from 'node:util';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { BuildInProgressError, startRoleBuild } from '../start-role-build.ts';
import { readBuildHistory } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import type { Started } from './print-started.ts';
import type { Services } from './services.ts';
import type { StartOptions } from './start.ts';
import { refused, showStarted } from './started.ts';

export async function startWithClient(
  context: CommandContext,
  input: RoleBuildInput,
  requestId: string,
  options: StartOptions,
): CommandResult {
  const services = await context.services();
  const started: Started = await services
    .temporal(() => startRoleBuild(services.client, input, { taskQueue: services.taskQueue, requestId }))
    .catch((err: unknown) => (options.attach === true ? attach(services, input, err) : refused(err)));
  return showStarted(context, services, started, options.wait === true);
}

/** Joins the build that holds the resource, where it asks for the same. @throws CliError `inProgress` where it doesn't */
async function attach(services: Services, input: RoleBuildInput, err: unknown): Promise<Started> {
  if (!(err instanceof BuildInProgressError)) return refused(err);
  const { workflowId, jobId } = err;
  const running = (await readBuildHistory(services, workflowId, jobId)).input;
  if (running === undefined || !isDeepStrictEqual(running.build_body, input.build_body)) {
    throw new CliError('inProgress', `${err.message}, and its build_body is not the same`, {
      fields: { workflow_id: workflowId, job_id: jobId },
      cause: err,
    });
  }
  return {
    workflow_id: workflowId,
    job_id: jobId,
    correlation_id: running.correlation_id,
    status: 'IN_PROGRESS',
    attached: true,
  };
}
