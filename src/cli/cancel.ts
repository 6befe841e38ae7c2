import { randomUUID } from 'node:crypto';
import { isGrpcServiceError } from '@temporalio/client';
import { isOpen, isPaused } from '../domain/execution-status.ts';
import { viewBuild } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError, notFound } from './errors.ts';
import { GRPC_STATUS } from './grpc.ts';
import { describeBuild, firstRunIdOf } from './find-build.ts';
import { describeChange, followBuild } from './follow.ts';
import { unpause } from './next-move.ts';
import { fields } from './output.ts';
import type { Services } from './services.ts';
import { checkTarget, findTarget, type Target, type TargetOptions } from './target.ts';
import { whoAmI } from './who.ts';

export async function cancel(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: TargetOptions & { wait?: boolean },
): CommandResult {
  checkTarget(account, resource, options);
  const { output, json } = context;
  const services = await context.services();
  const target = await findTarget(services, account, resource, options);
  const { jobId, status } = await runningJob(services, target);
  await requestCancel(services, target, jobId);
  output.note('cancel requested; the build API has no cancel, so a build that was triggered may go on there');
  if (isPaused(status))
    output.note(`the workflow is paused, and ends once it may go on: ${unpause(target.workflowId)}`);
  if (options.wait !== true) {
    const requested = { workflow_id: target.workflowId, job_id: jobId, cancel_requested: true };
    if (json) output.json(requested);
    else output.line(fields(requested));
    return 'done';
  }
  const { workflowId } = target;
  await followBuild(services, workflowId, jobId, (build) => output.note(describeChange(build)), context.signal);
  const view = await viewBuild(services, { ...target, jobId });
  if (view === undefined) throw notFound(target.name);
  (await import('./show-build.ts')).showBuild(context, view);
  return view.status === 'CANCELLED' ? 'done' : 'endedOtherwise';
}

async function runningJob(services: Services, target: Target): Promise<{ jobId: string; status: string | undefined }> {
  const latest = await describeBuild(services, target.workflowId);
  const jobId = latest === undefined ? undefined : firstRunIdOf(latest);
  const status = latest?.status.name;
  const isIt = target.jobId === undefined || target.jobId === jobId;
  if (!isIt || !isOpen(status) || jobId === undefined) {
    throw new CliError('notFound', `nothing is running for ${target.name}`);
  }
  return { jobId, status };
}

/** Asks Temporal alone, and says who asked: it stays in the workflow's history. */
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
    if (isGrpcServiceError(err) && (err.code as number) === GRPC_STATUS.ALREADY_EXISTS) return;
    if (isGrpcServiceError(err) && (err.code as number) === GRPC_STATUS.NOT_FOUND) {
      throw new CliError('notFound', `nothing is running any more for ${target.name}`, { cause: err });
    }
    throw err;
  }
}
