import { setTimeout as delay } from 'node:timers/promises';
import { searchAttributes } from '../../../contract.ts';
import { OPEN_QUERY } from '../../../domain/execution-status.ts';
import type { BuildState } from '../../build/state.ts';
import { readBuildState, viewOfTemporal, type BuildView } from '../../build/view.ts';
import { buildsQuery, type BuildFilters } from '../../temporal/queries.ts';
import type { CommandContext, CommandResult } from '../../context.ts';
import { CliError } from '../../errors/cli-error.ts';
import { describeChange, followBuild } from '../../build/follow.ts';
import { startLive } from '../../terminal/live.ts';
import { manyScreen, type Watched } from './many-screen.ts';
import type { Services } from '../../services.ts';

const DEFAULT_LIMIT = 50;
/** How often it looks for builds that started meanwhile. */
const LIST_EVERY_MS = 3_000;

type Tell = (view: BuildView, build: BuildState) => Promise<void>;

/** Follows every running build that matches until none runs. */
export async function watchMany(context: CommandContext, options: BuildFilters & { limit?: number }): CommandResult {
  const { output, json, signal } = context;
  const query = `${buildsQuery(options)} AND ${OPEN_QUERY}`;
  const services = await context.services();
  const watched: Watched = { views: new Map(), running: new Set(), waiting: 0 };
  const isLive = output.terminal.isTerminal && !json;
  const live = isLive ? startLive(output, () => manyScreen(watched, output.terminal)) : undefined;
  const tell = async (view: BuildView, build: BuildState) => {
    watched.views.set(`${view.job_id}`, view);
    if (live !== undefined) live.draw();
    else if (json) output.json(view);
    else output.line(`${String(view['account_id'])} ${String(view['resource'])}: ${describeChange(build)}`);
    await output.drained();
  };
  try {
    await followAll(services, query, options, watched, tell, signal);
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
  options: { limit?: number },
  watched: Watched,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const limit = options.limit || DEFAULT_LIMIT;
  const failed = Promise.withResolvers<never>();
  let idle = Promise.withResolvers<void>();
  const ended = new Set<string>();
  const follow = async (workflowId: string, runId: string, jobId: string) => {
    await followFromNow(services, { workflowId, runId }, tell, signal);
    watched.running.delete(jobId);
    ended.add(jobId);
    if (watched.running.size === 0) idle.resolve();
  };
  for (;;) {
    let found = 0;
    const open = await services.temporal(() => Array.fromAsync(services.client.workflow.list({ query })));
    for (const { workflowId, runId, typedSearchAttributes } of open) {
      // Missing only until the first run's first task is done.
      const jobId = typedSearchAttributes.get(searchAttributes.JobId) ?? runId;
      // Visibility shows an end a moment later than the history.
      if (ended.has(jobId)) continue;
      found += 1;
      if (watched.running.has(jobId) || watched.running.size >= limit) continue;
      watched.running.add(jobId);
      follow(workflowId, runId, jobId).catch(failed.reject);
    }
    watched.waiting = Math.max(0, found - watched.running.size);
    if (found === 0 && watched.running.size === 0) return;
    await Promise.race([failed.promise, idle.promise, delay(LIST_EVERY_MS, undefined, { signal })]);
    idle = Promise.withResolvers();
  }
}

/** Reports a build's state, then every change, but not the changes before. */
async function followFromNow(
  services: Services,
  { workflowId, runId }: { workflowId: string; runId: string },
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const before = await readBuildState(services, workflowId, runId);
  await tell(viewOfTemporal(workflowId, before), before);
  let first: BuildState | undefined;
  await followBuild(
    services,
    { workflowId, runId },
    async (now) => {
      first ??= now;
      if (now === first && now.event_id <= before.event_id) return;
      await tell(viewOfTemporal(workflowId, now), now);
    },
    signal,
  );
}
