import type { Command } from 'commander';
import { WAIT_SUMMARY } from '../../contract.ts';
import { isOpen, isPaused } from '../../domain/execution-status.ts';
import { defined } from '../../domain/defined.ts';
import { describeChange, followBuild, followJob } from '../build/follow.ts';
import { unpause } from '../build/next-step.ts';
import { liveBuildScreen, showBuild } from '../build/show.ts';
import type { BuildState } from '../build/state.ts';
import { NAME_ONE, openTarget, waysOf, type Target, type TargetOptions } from '../build/target.ts';
import {
  addEarlierSteps,
  describeExecution,
  viewBuild,
  viewFollowed,
  viewOfExecution,
  viewOfTemporal,
  type BuildView,
} from '../build/view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { examples, filters, namesOneBuild, wholeNumber } from '../options.ts';
import type { Services } from '../services.ts';
import { isFiltered, type BuildFilters } from '../temporal/queries.ts';
import { startLive } from '../terminal/live.ts';
import type { Output } from '../terminal/output.ts';

export function define(command: Command): Command {
  return filters(namesOneBuild(command))
    .description(
      'Follows one build to its end, or all running builds that match, and those that start meanwhile, until none is running. ' +
        'On a terminal the display is updated in place; otherwise each change is a line, with --json a JSON document. Ctrl-C ' +
        'leaves the builds running.',
    )
    .option(
      '--limit <n>',
      'follow at most this many builds at a time, the newest first; 0 for all (default: 50). The others follow later.',
      wholeNumber,
    )
    .addHelpText(
      'after',
      examples(
        "role-build watch 123456789012 'iam_role#data-reader' --json",
        'role-build watch --status IN_PROGRESS --since 2h',
      ),
    );
}

type WatchOptions = TargetOptions & BuildFilters & { limit?: number };

/** An attempt of a step makes no event, so Temporal is polled for attempts at this interval. */
const LOOK_EVERY_MS = 3_000;

export async function run(context: CommandContext, options: WatchOptions): CommandResult {
  const isNamed = waysOf(context.args[0], options).length > 0;
  if (isFiltered(options)) {
    if (isNamed) throw new CliError('usage', 'name one build, or say with filters which ones, not both');
    return (await import('./watch/many-builds.ts')).watchMany(context, options);
  }
  if (isNamed && options.limit !== undefined) throw new CliError('usage', '--limit is for many builds, not for one');
  if (!isNamed) {
    throw new CliError('usage', NAME_ONE, { hint: 'role-build watch --status IN_PROGRESS follows all that run' });
  }
  const { services, target } = await openTarget(context, options);
  let view = await viewBuild(services, target);
  if (isPaused(view.execution_status)) context.output.note(`the workflow is paused: ${unpause(view.workflow_id)}`);
  if (isOpen(view.execution_status) && view.job_id !== undefined) {
    view = await follow(context, services, target, view.job_id);
  }
  showBuild(context, view);
  return view.status === 'COMPLETE' ? 'done' : 'endedOtherwise';
}

/** Follows a job to its end: live on a terminal, else with one line per change, or one document with `--json`. */
async function follow(context: CommandContext, services: Services, target: Target, jobId: string): Promise<BuildView> {
  const { output, json } = context;
  const { name, workflowId } = target;
  let last: BuildState;
  if (output.terminal.isTerminal && !json) {
    last = await followLive(output, services, workflowId, jobId);
  } else {
    const tell = async (build: BuildState) => {
      if (build.closed !== undefined) return;
      if (json) output.json(viewOfTemporal(workflowId, build));
      else output.line(describeChange(build));
      await output.drained();
    };
    last = await followJob(services, workflowId, jobId, tell);
  }
  return viewFollowed(services, { name, workflowId, jobId }, last);
}

async function followLive(output: Output, services: Services, workflowId: string, jobId: string): Promise<BuildState> {
  let shown: BuildView | undefined;
  let now: BuildState | undefined;
  let looking: Promise<void> | undefined;
  const live = startLive(output, () => (shown === undefined ? '' : liveBuildScreen(shown, output.terminal)));
  /** Adds what only Temporal's description of the execution has: attempts, and the link. */
  const look = async () => {
    const execution = await describeExecution(services, workflowId, jobId);
    if (execution === undefined || now === undefined || now.closed !== undefined) return;
    await addEarlierSteps(services, workflowId, now);
    shown = viewOfExecution(services, execution, now);
    live.draw();
  };
  const lookSoon = () => {
    // Errors are ignored: the next look may succeed, and the events show the end.
    looking ??= look()
      .catch(() => {})
      .finally(() => (looking = undefined));
  };
  const timer = setInterval(() => {
    if (now?.current?.step !== WAIT_SUMMARY) lookSoon();
  }, LOOK_EVERY_MS);
  const onChange = (build: BuildState) => {
    now = build;
    const { ui_url, execution_status } = shown ?? {};
    shown = { ...viewOfTemporal(workflowId, build), ...defined({ execution_status, ui_url }) };
    live.draw();
    if (ui_url === undefined) lookSoon();
  };
  try {
    // Starts at the latest run, which knows all that is shown; from the first run, everything would be read again.
    const latest = await describeExecution(services, workflowId, jobId);
    const last = await followBuild(services, { workflowId, runId: latest?.runId ?? jobId }, onChange);
    clearInterval(timer);
    await looking;
    live.clear();
    return last;
  } finally {
    clearInterval(timer);
    live.stop();
  }
}
