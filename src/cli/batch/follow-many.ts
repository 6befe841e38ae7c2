/** Follows many builds to their ends at the price of a few calls a second, however many they are. */
import { setTimeout as delay } from 'node:timers/promises';
import { ROLE_BUILD_WORKFLOW_TYPE } from '../../contract.ts';
import { isOpen } from '../../domain/execution-status.ts';
import { isEndStatus } from '../../domain/record-status.ts';
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
        if (!(err instanceof CliError && err.transient)) throw err;
        if (performance.now() - lastAnswerAt > PATIENCE_MS) {
          throw new CliError('unreachable', `${err.message}; the builds go on`, { cause: err });
        }
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const lookedAt = Date.now();
    const asked = new Set([...(await this.#closedSince(this.#since)), ...this.#longestUnasked()]);
    const records = await historiesOf(
      this.#services,
      [...asked].map(({ correlation_id: id }) => id),
    );
    for (const build of asked) {
      const record = records.get(build.correlation_id);
      const isOwn = record?.job_id === build.job_id && isEndStatus(record.status);
      const end = isOwn ? record : await this.#endByTemporal(build);
      // To the end of the queue, or out of it.
      this.#running.delete(build.workflow_id);
      if (end === undefined) this.#running.set(build.workflow_id, build);
      else this.#onEnd({ ...build, status: end.status as ReportStatus, ...errorOf(end) });
    }
    this.#since = lookedAt - OVERLAP_MS;
  }

  /** Those that may have ended: a run that was reset has closed too, and its job goes on. */
  async #closedSince(since: number): Promise<Followed[]> {
    const { client } = this.#services;
    const query = [
      `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`,
      "ExecutionStatus != 'ContinuedAsNew'",
      `CloseTime >= '${new Date(since).toISOString()}'`,
    ].join(' AND ');
    return this.#services.temporal(async () => {
      const closed: Followed[] = [];
      for await (const { workflowId } of client.workflow.list({ query, pageSize: PAGE })) {
        const build = this.#running.get(workflowId);
        if (build !== undefined) closed.push(build);
      }
      return closed;
    });
  }

  /** The queue is the map's order. */
  #longestUnasked(): Followed[] {
    return [...this.#running.values()].slice(0, ASKED_BY_NAME);
  }

  /**
   * How it ended where its record does not say so: refused before anything was written, or a newer job holds it.
   *
   * @returns `undefined` where it has not ended
   */
  async #endByTemporal(
    build: Followed,
  ): Promise<Pick<ReturnType<typeof recordOf>, 'status' | 'error_info'> | undefined> {
    const { workflow_id: workflowId, job_id: jobId } = build;
    const execution = await describeExecution(this.#services, { name: workflowId, workflowId, jobId });
    if (execution === undefined) {
      const Cause = 'Temporal no longer has it, and its record is IN_PROGRESS; role-build doctor finds out what is so';
      return { status: 'FAILED', error_info: { Error: 'ExecutionLost', Cause } };
    }
    if (isOpen(execution.status.name)) return undefined;
    return recordOf(await readBuildHistory(this.#services, workflowId, execution.runId));
  }
}
