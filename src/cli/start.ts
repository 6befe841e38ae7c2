import { isDeepStrictEqual } from 'node:util';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { BuildInProgressError, InvalidInputError, startRoleBuild, type StartedBuild } from '../start-role-build.ts';
import { readBuildHistory, viewBuild, viewOfTemporal } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { describeChange, followBuild } from './follow.ts';
import { fields } from './output.ts';
import { readInput, type InputOptions } from './read-input.ts';
import type { Services } from './services.ts';
import { showBuild } from './show-build.ts';

export interface StartOptions extends InputOptions {
  wait?: boolean;
  attach?: boolean;
}

/** What `start` prints where it does not wait. */
interface Joined extends Omit<StartedBuild, 'status'> {
  status: string;
  /** The build was running already, and asks for the same. */
  attached?: true;
}

export async function start(context: CommandContext, options: StartOptions): CommandResult {
  const { output, json } = context;
  const input = await readInput(options, context.env, context.stdin, output);
  const services = await context.services();
  const started: Joined = await services
    .temporal(() => startRoleBuild(services.client, input, services))
    .catch((err: unknown) => (options.attach === true ? attach(services, input, err) : refused(err)));
  if (options.wait !== true) {
    if (json) output.json(started);
    else output.line(fields({ ...started }));
    return 'done';
  }

  output.note(`${started.attached ? 'joined' : 'started'} job ${started.job_id} of ${started.workflow_id}`);
  const { workflow_id: workflowId, job_id: jobId } = started;
  const build = await followBuild(
    services,
    workflowId,
    jobId,
    (now) => output.note(describeChange(now)),
    context.signal,
  );
  // The table adds what Temporal does not know; where it can't be asked, the truth is known all the same.
  const view = await viewBuild(services, { name: workflowId, workflowId, jobId }).catch((err: unknown) => {
    output.note(`role-build: the record can't be read: ${(err as Error).message}`);
    return viewOfTemporal(workflowId, build);
  });
  const shown = view ?? viewOfTemporal(workflowId, build);
  showBuild(context, shown);
  return shown.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}

function refused(err: unknown): never {
  if (err instanceof BuildInProgressError) {
    throw new CliError('inProgress', err.message, {
      fields: { workflow_id: err.workflowId, job_id: err.jobId },
      cause: err,
    });
  }
  if (err instanceof InvalidInputError) throw new CliError('usage', err.message, { fields: { faults: err.faults } });
  throw err;
}

/** Joins the build that holds the resource, where it asks for the same. @throws CliError `inProgress` where it doesn't */
async function attach(services: Services, input: RoleBuildInput, err: unknown): Promise<Joined> {
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
