import { setTimeout as delay } from 'node:timers/promises';
import { OPEN_QUERY } from '../../../domain/execution-status.ts';
import type { Run } from '../../build/events.ts';
import type { BuildState } from '../../build/state.ts';
import { readBuildState, viewOfTemporal, type BuildView } from '../../build/view.ts';
import { buildsQuery, type BuildFilters } from '../../temporal/queries.ts';
import type { CommandContext, CommandResult } from '../../context.ts';
import { CliError } from '../../errors/cli-error.ts';
import { describeChange, followBuild, leniently } from '../../build/follow.ts';
import { limitOf } from '../../options.ts';
import { startLive } from '../../terminal/live.ts';
import { oneLine, ReaderGone } from '../../terminal/output.ts';
import { manyScreen, namesOf, type Watched } from './many-screen.ts';
import { isUnknown } from '../../build/find.ts';
import type { Services } from '../../services.ts';

const DEFAULT_LIMIT = 50;
/** How often it looks for builds that have started. */
const LIST_EVERY_MS = 3_000;

type Tell = (view: BuildView, build: BuildState) => Promise<void>;

/** Follows every running build that matches, until none runs. */
export async function watchMany(context: CommandContext, options: BuildFilters & { limit?: number }): CommandResult {
  const { output, json } = context;
  const query = `${buildsQuery(options)} AND ${OPEN_QUERY}`;
  const services = leniently(await context.services());
  const watched: Watched = { views: new Map(), running: new Set(), waiting: 0 };
  const isLive = output.terminal.isTerminal && !json;
  const live = isLive ? startLive(output, () => manyScreen(watched, output.terminal)) : undefined;
  const tell = async (view: BuildView, build: BuildState) => {
    watched.views.set(`${view.job_id}`, view);
    if (live !== undefined) live.draw();
    else if (json) output.json(view);
    else output.line(`${oneLine(namesOf(view).join(' '))}: ${describeChange(build)}`);
    await output.drained();
  };
  try {
    await followAll(services, query, limitOf(options, DEFAULT_LIMIT), watched, tell);
  } finally {
    live?.stop();
  }
  const views = [...watched.views.values()];
  if (views.length === 0) {
    throw new CliError('notFound', 'no running build matches', { hint: 'role-build list shows those that have ended' });
  }
  const counts = Map.groupBy(views, ({ status }) => status);
  if (!isLive) output.note([...counts].map(([status, { length }]) => `${length} ${status}`).join(', '));
  return views.every(({ status }) => status === 'COMPLETE') ? 'done' : 'endedOtherwise';
}

/** Polls for matching builds, and follows each to its end. */
async function followAll(
  services: Services,
  query: string,
  limit: number,
  watched: Watched,
  tell: Tell,
): Promise<void> {
  const { note, signal } = services;
  const failed = Promise.withResolvers<never>();
  let idle = Promise.withResolvers<void>();
  const ended = new Set<string>();
  /** The first runs beyond the limit, by workflow ID. They are followed later, even if they have ended by then. */
  const waiting = new Map<string, string>();
  const follow = async (run: Run) => {
    // A build that was deleted meanwhile is ignored.
    const last = await followFromNow(services, run, tell).catch((err: unknown) => {
      if (err instanceof CliError || err instanceof ReaderGone || signal.aborted) throw err;
      if (!isUnknown(err)) note(`role-build: ${run.workflowId} can't be followed: ${(err as Error).message}`);
    });
    watched.running.delete(run.workflowId);
    ended.add(run.runId).add(last?.run_id ?? run.runId);
    if (watched.running.size === 0) idle.resolve();
  };
  for (;;) {
    const open = await services.temporal(() => Array.fromAsync(services.client.workflow.list({ query })));
    for (const { workflowId, runId } of open) {
      // Visibility shows an end a moment later than the history does.
      if (ended.has(runId)) continue;
      // Compares workflow IDs: each has one open execution, while the JobId attribute is set by the starter.
      if (!watched.running.has(workflowId) && !waiting.has(workflowId)) waiting.set(workflowId, runId);
    }
    for (const [workflowId, runId] of [...waiting].slice(0, limit - watched.running.size)) {
      waiting.delete(workflowId);
      watched.running.add(workflowId);
      follow({ workflowId, runId }).catch(failed.reject);
    }
    watched.waiting = waiting.size;
    if (watched.running.size === 0) return;
    await Promise.race([failed.promise, idle.promise, delay(LIST_EVERY_MS, undefined, { signal })]);
    idle = Promise.withResolvers();
  }
}

/** Reports a build's current state and every later change, but none before. @returns the build's state at its end */
async function followFromNow(services: Services, run: Run, tell: Tell): Promise<BuildState> {
  const { workflowId, runId } = run;
  const before = await readBuildState(services, workflowId, runId);
  await tell(viewOfTemporal(workflowId, before), before);
  let first: BuildState | undefined;
  return followBuild(services, run, async (now) => {
    first ??= now;
    if (now === first && now.event_id <= before.event_id) return;
    await tell(viewOfTemporal(workflowId, now), now);
  });
}
