/** Follows many builds to their ends at the price of a few calls a second, however many they are. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { ROLE_BUILD_WORKFLOW_TYPE, searchAttributes } from '../../contract.ts';
import { recordOf } from '../build-history.ts';
import { describeExecution, readBuildHistory } from '../build-view.ts';
import { CliError } from '../errors.ts';
import type { Services } from '../services.ts';
import { errorOf, historiesOf } from './earlier.ts';
import type { ReportLine, ReportStatus } from './report.ts';

const LOOK_EVERY_MS = 1_000;
/** Visibility hears of a closed workflow a little after the fact, and clocks differ. */
const OVERLAP_MS = 5_000;
const WAIT_MS = 100;
const PAGE = 1_000;
/** So many are asked for by name at each look: what visibility never tells is found out all the same. */
const ASKED_BY_NAME = 5;
/** How long a service may be away before the batch gives up following; the builds go on. */
const PATIENCE_MS = 600_000;

export type Followed = ReportLine & { correlation_id: string; workflow_id: string; job_id: string };

interface Closed {
  build: Followed;
  /** The last run of the job. */
  runId: string;
}

export class BuildFollower {
  readonly #services: Services;
  readonly #onEnd: (ended: ReportLine) => void;
  /** By workflow ID: there is one build at a time for each. */
  readonly #running = new Map<string, Followed>();
  readonly #stop = new AbortController();
  #since = Date.now() - OVERLAP_MS;
  #ran: Promise<void> | undefined;

  constructor(services: Services, onEnd: (ended: ReportLine) => void) {
    this.#services = services;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#running.size;
  }

  add(build: Followed): void {
    this.#running.set(build.workflow_id, build);
  }

  /** Looks until {@link stop}. @throws CliError `unreachable` where a service stays away */
  run(): Promise<void> {
    this.#ran ??= this.#loop();
    return this.#ran;
  }

  async untilAllEnded(signal: AbortSignal): Promise<void> {
    while (this.#running.size > 0 && !signal.aborted) await Promise.race([delay(WAIT_MS), this.run()]);
  }

  /** @returns those that had not ended */
  async stop(): Promise<Followed[]> {
    this.#stop.abort();
    await this.#ran?.catch(() => undefined);
    return [...this.#running.values()];
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    let lastAnswerAt = performance.now();
    while (!signal.aborted) {
      try {
        if (this.#running.size > 0) await this.#look();
        lastAnswerAt = performance.now();
      } catch (err) {
        if (performance.now() - lastAnswerAt > PATIENCE_MS) {
          throw new CliError('unreachable', `${(err as Error).message}; the builds go on`, { cause: err });
        }
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const lookedAt = Date.now();
    const closed = new Map<string, Closed>();
    for (const one of await this.#closedSince(this.#since)) closed.set(one.build.workflow_id, one);
    for (const one of await this.#askByName(closed)) closed.set(one.build.workflow_id, one);
    this.#since = lookedAt - OVERLAP_MS;
    if (closed.size === 0) return;

    const all = [...closed.values()];
    const records = await historiesOf(
      this.#services,
      all.map(({ build }) => build.correlation_id),
    );
    for (const one of all) {
      const record = records.get(one.build.correlation_id);
      const isOwn = record?.job_id === one.build.job_id && record.status !== 'IN_PROGRESS';
      const end = isOwn ? record : await this.#endByTemporal(one);
      this.#running.delete(one.build.workflow_id);
      this.#onEnd({ ...one.build, status: end.status as ReportStatus, ...errorOf(end.error_info) });
    }
  }

  async #closedSince(since: number): Promise<Closed[]> {
    const { client } = this.#services;
    const query = [
      `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`,
      "ExecutionStatus != 'Running'",
      "ExecutionStatus != 'ContinuedAsNew'",
      `CloseTime >= '${new Date(since).toISOString()}'`,
    ].join(' AND ');
    return this.#services.temporal(async () => {
      const closed: Closed[] = [];
      for await (const { workflowId, runId, typedSearchAttributes: found } of client.workflow.list({
        query,
        pageSize: PAGE,
      })) {
        const build = this.#running.get(workflowId);
        // One that was refused at once has no JobId yet, and no other run.
        if (build?.job_id === (found.get(searchAttributes.JobId) ?? runId)) closed.push({ build, runId });
      }
      return closed;
    });
  }

  /** Those that have been looked at longest ago go to the end of the queue, which is the map's order. */
  async #askByName(known: ReadonlyMap<string, Closed>): Promise<Closed[]> {
    const asked = [...this.#running.values()].filter(({ workflow_id: id }) => !known.has(id)).slice(0, ASKED_BY_NAME);
    const found = await Promise.all(
      asked.map(async (build): Promise<Closed | undefined> => {
        const { workflow_id: workflowId, job_id: jobId } = build;
        const execution = await describeExecution(this.#services, { name: workflowId, workflowId, jobId });
        if (execution?.status.name === 'RUNNING' && this.#running.delete(workflowId)) {
          this.#running.set(workflowId, build);
          return undefined;
        }
        return { build, runId: execution?.runId ?? jobId };
      }),
    );
    return found.filter((one) => one !== undefined);
  }

  /** How it ended where its record does not say so: refused before anything was written, or a newer job holds it. */
  async #endByTemporal({ build, runId }: Closed): Promise<Pick<ReturnType<typeof recordOf>, 'status' | 'error_info'>> {
    try {
      return recordOf(await readBuildHistory(this.#services, build.workflow_id, runId));
    } catch (err) {
      if (!(err instanceof WorkflowNotFoundError)) throw err;
      const Cause = 'Temporal no longer has it, and its record is IN_PROGRESS; role-build doctor finds out what is so';
      return { status: 'FAILED', error_info: { Error: 'ExecutionLost', Cause } };
    }
  }
}
