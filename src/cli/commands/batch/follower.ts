/** Follows any number of builds to their ends with a few calls per second. */
import { setTimeout as delay } from 'node:timers/promises';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { isOpen } from '../../../domain/execution-status.ts';
import { isEndStatus } from '../../../domain/record-status.ts';
import { describeExecution } from '../../build/view.ts';
import { CliError } from '../../errors/cli-error.ts';
import type { Services } from '../../services.ts';
import { BUILDS_QUERY } from '../../temporal/queries.ts';
import { endOfRun, errorOf, historiesOf, type End } from './known.ts';
import type { ReportLine } from './report.ts';

const LOOK_EVERY_MS = 1_000;
/** Visibility is eventually consistent, and clocks differ, so each look overlaps the one before. */
const OVERLAP_MS = 5_000;
const PAGE = 1_000;
/** How many builds are looked up by ID each time, in case visibility never lists one. */
const LOOKED_UP_BY_NAME = 5;
/** How long a service may be unavailable before the batch stops following. The builds go on. */
const PATIENCE_MS = 600_000;

type Followed = ReportLine & { correlation_id: string; workflow_id: string; job_id: string };

export type BuildFollower = ReturnType<typeof followBuilds>;

/** @param onFault called once if a service stays unavailable; nothing is followed after that */
export function followBuilds(services: Services, onEnd: (ended: ReportLine) => void, onFault: (err: unknown) => void) {
  /** By workflow ID, since each has one build at a time. The builds that were looked up longest ago come first. */
  const running = new Map<string, Followed>();
  const stop = new AbortController();
  let since = Date.now() - OVERLAP_MS;

  async function run(): Promise<void> {
    const { signal } = stop;
    let failsSince: number | undefined;
    while (!signal.aborted) {
      try {
        if (running.size > 0) await look();
        failsSince = undefined;
      } catch (err) {
        if (!(err instanceof CliError && err.transient)) throw err;
        failsSince ??= performance.now();
        if (performance.now() - failsSince > PATIENCE_MS) {
          throw new CliError('unreachable', `${err.message}; the builds go on`, { cause: err });
        }
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async function look(): Promise<void> {
    const lookedAt = Date.now();
    const byName = [...running.values()].slice(0, LOOKED_UP_BY_NAME);
    const closed = await closedSince();
    const closedRuns = new Set(closed.map(({ runId }) => runId));
    const mayHaveEnded = closed.flatMap(({ workflowId }) => running.get(workflowId) ?? []);
    const builds = [...new Set([...mayHaveEnded, ...byName])];
    const ids = builds.map(({ correlation_id }) => correlation_id);
    const records = await historiesOf(services, ids);
    for (const [i, build] of builds.entries()) {
      const record = records[i];
      const own =
        record?.job_id === build.job_id && isEndStatus(record.status)
          ? { status: record.status, error: errorOf(record) }
          : undefined;
      const end = (closedRuns.has(build.job_id) ? own : undefined) ?? (await endByTemporal(build, own));
      // Moves a build that still runs to the end of the queue.
      running.delete(build.workflow_id);
      if (end === undefined) running.set(build.workflow_id, build);
      else onEnd({ ...build, ...end });
    }
    since = lookedAt - OVERLAP_MS;
  }

  /** Lists closed runs of any builds. A run that was reset is among them, although its job goes on. */
  async function closedSince(): Promise<WorkflowExecutionInfo[]> {
    const closed = `ExecutionStatus != 'ContinuedAsNew' AND CloseTime >= '${new Date(since).toISOString()}'`;
    const query = `${BUILDS_QUERY} AND ${closed}`;
    return services.temporal(() => Array.fromAsync(services.client.workflow.list({ query, pageSize: PAGE })));
  }

  /**
   * Returns how a build ended, once its execution has closed: until then nothing may be started in its place.
   *
   * @param recorded the end in its record, unless it was refused before any write or a newer job holds the record
   * @returns `undefined` if the build has not ended
   */
  async function endByTemporal(build: Followed, recorded: End | undefined): Promise<End | undefined> {
    const { workflow_id: workflowId, job_id: jobId } = build;
    const execution = await describeExecution(services, workflowId, jobId);
    if (execution !== undefined && isOpen(execution.status.name)) return undefined;
    return recorded ?? endOfRun(services, workflowId, execution?.runId);
  }

  const loop = run().catch(onFault);
  return {
    size: () => running.size,
    add: (build: Followed) => void running.set(build.workflow_id, build),
    /** @returns the builds that had not ended */
    stop: async () => {
      stop.abort();
      await loop;
      return [...running.values()];
    },
  };
}
