import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { isOpen, isPaused } from '../../domain/execution-status.ts';
import { describeBuild, firstRunIdOf } from '../build/find.ts';
import { followJob } from '../build/follow.ts';
import { unpause } from '../build/next-step.ts';
import { showBuild } from '../build/show.ts';
import { openTarget, type Target, type TargetOptions } from '../build/target.ts';
import { viewFollowed } from '../build/view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { hasGrpcStatus } from '../../domain/grpc.ts';
import { whoAmI } from '../input/who.ts';
import { examples, namesOneBuild } from '../options.ts';
import type { Services } from '../services.ts';
import { fields } from '../terminal/output.ts';

export function define(command: Command): Command {
  return namesOneBuild(command)
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', examples("role-build cancel 123456789012 'iam_role#data-reader' --wait"));
}

export async function run(context: CommandContext, options: TargetOptions & { wait?: boolean }): CommandResult {
  const { output, json } = context;
  const { services, target } = await openTarget(context, options);
  const { name, workflowId } = target;
  const { jobId, status } = await runningJob(services, target);
  await requestCancel(services, target, jobId);
  output.note('cancel requested; the build API has no cancel, so a build that was triggered may go on there');
  if (isPaused(status)) output.note(`the workflow is paused, and ends once it may go on: ${unpause(workflowId)}`);
  if (options.wait !== true) {
    const requested = { workflow_id: workflowId, job_id: jobId, cancel_requested: true };
    if (json) output.json(requested);
    else output.line(fields(requested));
    return 'done';
  }
  context.ifInterrupted('the cancel stays requested');
  const build = await followJob(services, workflowId, jobId);
  const view = await viewFollowed(services, { name, workflowId, jobId }, build);
  showBuild(context, view);
  return view.status === 'CANCELLED' ? 'done' : 'endedOtherwise';
}

async function runningJob(services: Services, target: Target): Promise<{ jobId: string; status: string | undefined }> {
  const latest = await describeBuild(services, target.workflowId);
  const jobId = latest === undefined ? undefined : firstRunIdOf(latest);
  const status = latest?.status.name;
  const isIt = [undefined, jobId].includes(target.jobId);
  if (!isIt || !isOpen(status) || jobId === undefined) {
    throw new CliError('notFound', `nothing is running for ${target.name}`);
  }
  return { jobId, status };
}

/** Sends the cancel request to Temporal. The history keeps who asked. */
async function requestCancel(services: Services, target: Target, jobId: string): Promise<void> {
  const { client, namespace } = services;
  try {
    await services.temporal(() =>
      client.workflowService.requestCancelWorkflowExecution({
        namespace,
        workflowExecution: { workflowId: target.workflowId },
        firstExecutionRunId: jobId,
        identity: whoAmI(),
        requestId: randomUUID(),
        reason: `role-build cancel, by ${whoAmI()}`,
      }),
    );
  } catch (err) {
    if (err instanceof CliError || !hasGrpcStatus(err, 'ALREADY_EXISTS', 'NOT_FOUND')) throw err;
    if (hasGrpcStatus(err, 'ALREADY_EXISTS')) return;
    throw new CliError('notFound', `nothing is running any more for ${target.name}`, { cause: err });
  }
}
