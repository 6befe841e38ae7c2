import { orNotFound, viewBuild, viewOfTemporal } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { describeChange, followBuild } from './follow.ts';
import { showBuild } from './show-build.ts';
import { checkTarget, findTarget, type TargetOptions } from './target.ts';

/** Follows a build to its end: a line a change, then the build. With `--json` each line is a JSON document. */
export async function watch(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: TargetOptions,
): CommandResult {
  checkTarget(account, resource, options);
  const { output, json } = context;
  const services = await context.services();
  const target = await findTarget(services, account, resource, options);
  const view = orNotFound(await viewBuild(services, target), target);
  if (view.execution_status === 'RUNNING' && view.job_id !== undefined) {
    const { workflowId } = target;
    const { job_id: jobId } = view;
    await followBuild(
      services,
      workflowId,
      jobId,
      (build) => {
        if (build.closed !== undefined) return;
        if (json) output.json(viewOfTemporal(workflowId, build));
        else output.line(describeChange(build));
      },
      context.signal,
    );
    const ended = orNotFound(await viewBuild(services, { ...target, jobId }), target);
    showBuild(context, ended);
    return ended.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
  }
  showBuild(context, view);
  return view.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}
