import { isOpen, isPaused } from '../domain/execution-status.ts';
import type { BuildFilters } from './builds-query.ts';
import { orNotFound, viewBuild } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { unpause } from './next-move.ts';
import { showBuild } from './show-build.ts';
import { findTarget, checkTarget, type TargetOptions } from './target.ts';
import { followOnScreen } from './watch-one.ts';

export interface WatchOptions extends TargetOptions, BuildFilters {
  limit?: number;
}

const FILTERS = ['account', 'role', 'action', 'status', 'since', 'dryRun', 'query'] as const;

/** Follows one build to its end, or all that match: redrawn on a terminal, a line a change otherwise. */
export async function watch(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: WatchOptions,
): CommandResult {
  const filters = FILTERS.filter((name) => options[name] !== undefined);
  const isNamed = [account, options.correlationId, options.jobId, options.workflowId].some((way) => way !== undefined);
  if (!isNamed && filters.length > 0) return (await import('./watch-many.ts')).watchMany(context, options);
  if (isNamed && filters.length > 0) {
    throw new CliError('usage', 'name one build, or say with filters which ones, not both');
  }
  if (!isNamed) {
    throw new CliError('usage', 'name one build: ACCOUNT RESOURCE, or --correlation-id, --job-id or --workflow-id', {
      hint: 'role-build watch --status IN_PROGRESS follows all that run',
    });
  }
  checkTarget(account, resource, options);
  const services = await context.services();
  const target = await findTarget(services, account, resource, options);
  const view = orNotFound(await viewBuild(services, target), target);
  if (!isOpen(view.execution_status) || view.job_id === undefined) {
    showBuild(context, view);
    return view.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
  }
  if (isPaused(view.execution_status)) context.output.note(`the workflow is paused: ${unpause(view.workflow_id)}`);
  const ended = await followOnScreen(context, services, { ...target, jobId: view.job_id });
  return ended.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}
