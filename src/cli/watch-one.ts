import { WAIT_SUMMARY } from '../contract.ts';
import type { BuildHistory } from './build-history.ts';
import {
  addEarlierSteps,
  describeExecution,
  orNotFound,
  viewBuild,
  viewOfExecution,
  viewOfTemporal,
  type BuildView,
} from './build-view.ts';
import type { CommandContext } from './commands.ts';
import { describeChange, followBuild } from './follow.ts';
import { startLive } from './live.ts';
import type { Services } from './services.ts';
import { liveBuildScreen, showBuild } from './show-build.ts';
import type { Target } from './target.ts';

/** Attempts that go on are not in the history; they are asked for so often. */
const LOOK_EVERY_MS = 3_000;

/**
 * Follows a running build to its end and shows it: live on a terminal; else a line a change, or with `--json` a document a
 * change, and then the build.
 */
export async function followOnScreen(
  context: CommandContext,
  services: Services,
  target: Target & { jobId: string },
): Promise<BuildView> {
  const { output, json } = context;
  const { workflowId, jobId } = target;
  if (output.terminal.isTerminal && !json) return followLive(context, services, target);
  await followBuild(
    services,
    workflowId,
    jobId,
    async (build) => {
      if (build.closed !== undefined) return;
      if (json) output.json(viewOfTemporal(workflowId, build));
      else output.line(describeChange(build));
      await output.drained();
    },
    context.signal,
  );
  const ended = orNotFound(await viewBuild(services, target), target);
  showBuild(context, ended);
  return ended;
}

async function followLive(
  context: CommandContext,
  services: Services,
  target: Target & { jobId: string },
): Promise<BuildView> {
  const { output, signal } = context;
  let shown: BuildView | undefined;
  const live = startLive(output, () => (shown === undefined ? '' : liveBuildScreen(shown, output.terminal)));
  let now: BuildHistory | undefined;
  let looking: Promise<void> | undefined;
  /** What only Temporal's description of the execution tells: attempts, and the link. */
  const look = async () => {
    const execution = await describeExecution(services, target);
    if (execution === undefined || now === undefined || now.closed !== undefined) return;
    await addEarlierSteps(services, target.workflowId, now);
    shown = viewOfExecution(services, execution, now);
    live.draw();
  };
  const lookSoon = () => {
    // A look that fails is followed by another; the end is told by the history.
    looking ??= look()
      .catch(() => {})
      .finally(() => (looking = undefined));
  };
  const timer = setInterval(() => {
    if (now?.current !== undefined && now.current.step !== WAIT_SUMMARY) lookSoon();
  }, LOOK_EVERY_MS);
  try {
    // The latest run knows all that is shown; following the job from its first run would read everything again.
    const latest = await describeExecution(services, target);
    await followBuild(
      services,
      target.workflowId,
      latest?.runId ?? target.jobId,
      (build) => {
        now = build;
        const { ui_url, execution_status } = shown ?? {};
        shown = { ...viewOfTemporal(target.workflowId, build), ...present({ execution_status, ui_url }) };
        live.draw();
        if (ui_url === undefined) lookSoon();
      },
      signal,
    );
    clearInterval(timer);
    await looking;
    const ended = orNotFound(await viewBuild(services, target), target);
    live.clear();
    showBuild(context, ended);
    return ended;
  } finally {
    clearInterval(timer);
    live.stop();
  }
}

function present<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
