/** Starts the requests of a batch that are not started yet, with limits on concurrency, rate and builds in flight. */
import { setTimeout as delay } from 'node:timers/promises';
import PQueue from 'p-queue';
import { BuildInProgressError, startRoleBuild } from '../../../start-role-build.ts';
import { CliError } from '../../errors/cli-error.ts';
import type { Services } from '../../services.ts';
import { followBuilds, type BuildFollower } from './follower.ts';
import { lookUp, type Known } from './known.ts';
import { describeFault } from './lines.ts';
import type { FailedRequests, Report, ReportLine } from './report.ts';
import { isRequest, startIdOf, type InvalidLine, type Request } from './requests.ts';

/** More starts would only queue in the server. */
const CONCURRENT_STARTS = 16;
/** How many requests are looked up together. At most this many wait to be started, so lines are not read ahead. */
const LOOKED_UP_TOGETHER = 50;
/** A request that waits longer is looked up again: others may have started it meanwhile, and it may have ended. */
const LOOKED_UP_WITHIN_MS = 1_000;
/** Attempts at a look-up or a start (always with the same request ID), each with a call's full time-out. */
const ATTEMPTS = 6;
/** Doubles after each attempt. */
const FIRST_PAUSE_MS = 500;
/** The follower notices ended builds once a second. */
const CHECK_EVERY_MS = 100;
/** The longest delay that a timer takes. */
const INTERVAL_MAX_MS = 2 ** 31 - 1;

export interface StartingOptions {
  /** Starts per second, may be a fraction; unlimited by default. */
  rate?: number;
  /** The most builds that may run at a time. */
  maxInFlight?: number;
  /** Whether to follow the builds to their ends. */
  wait?: boolean;
}

export class BatchStarter {
  /** Builds that this run has started. */
  started = 0;
  /** Requests that were started before this run. */
  startedBefore = 0;
  /** Requests among those whose builds were still running. */
  onTheirWay = 0;
  readonly #services: Services;
  readonly #report: Report;
  readonly #options: StartingOptions;
  readonly #onProgress: () => void;
  /** `undefined` if nothing depends on when builds end. */
  readonly #follower: BuildFollower | undefined;
  readonly #starts: PQueue;
  /** The jobs that failed, by correlation ID, of the requests that run again. */
  #failedJobs: FailedRequests['jobs'] = new Map();
  /** Aborts when the user interrupts, or when it is useless to go on. */
  readonly #halt = new AbortController();

  constructor(services: Services, report: Report, options: StartingOptions, onProgress: () => void) {
    this.#services = services;
    this.#report = report;
    this.#options = options;
    this.#onProgress = onProgress;
    this.#starts = startQueue(options.rate);
    this.#halt.signal.addEventListener('abort', () => this.#starts.clear());
    if (options.wait === true || options.maxInFlight !== undefined) {
      // A batch that can't see its builds end must not start more of them.
      const halt = (err: unknown) => this.#halt.abort(err);
      this.#follower = followBuilds(services, (line) => this.#add(line), halt);
    }
  }

  /** The number of builds that are followed; `undefined` if none are. */
  get inFlight(): number | undefined {
    return this.#follower?.size();
  }

  /**
   * Goes through all requests. After an interrupt, the rest is reported as not started.
   *
   * @param failed the requests that run again
   * @throws CliError `unreachable` if a service stays unavailable, `usage` if the lines can't be read further; every
   *   line that was read is reported
   */
  async run(requests: AsyncIterable<Request | InvalidLine>, failed: FailedRequests | undefined): Promise<void> {
    const { signal: interrupt } = this.#services;
    const halt = () => this.#halt.abort(interrupt.reason);
    interrupt.addEventListener('abort', halt);
    if (interrupt.aborted) halt();
    this.#failedJobs = failed?.jobs ?? new Map();
    try {
      await this.#startAll(requests);
      if (this.#options.wait === true) await this.#until(() => this.#follower?.size() === 0);
    } finally {
      for (const build of (await this.#follower?.stop()) ?? []) this.#add({ ...build, status: 'IN_PROGRESS' });
    }
    const { aborted, reason } = this.#halt.signal;
    if (aborted && reason !== interrupt.reason) throw reason;
  }

  async #startAll(requests: AsyncIterable<Request | InvalidLine>): Promise<void> {
    const starting = new Set<Promise<void>>();
    for await (const chunk of this.#chunks(requests)) {
      const lookedUpAt = performance.now();
      for (const { request, known } of await this.#lookUp(chunk)) {
        if (known.state !== 'not started') {
          this.#reportKnown(request, known);
          continue;
        }
        await this.#until(() => this.#hasRoom());
        await this.#starts.onSizeLessThan(LOOKED_UP_TOGETHER);
        const task = this.#start(request, known, lookedUpAt).finally(() => starting.delete(task));
        starting.add(task);
      }
    }
    await Promise.all(starting);
  }

  /** Yields valid lines in chunks, and reports the others. */
  async *#chunks(lines: AsyncIterable<Request | InvalidLine>): AsyncGenerator<Request[]> {
    let chunk: Request[] = [];
    try {
      for await (const one of lines) {
        if (isRequest(one)) chunk.push(one);
        else this.#add({ line: one.line, status: 'INVALID', error: one.faults.map(describeFault).join('; ') });
        if (chunk.length < LOOKED_UP_TOGETHER) continue;
        yield chunk;
        chunk = [];
      }
    } catch (err) {
      this.#halt.abort(err);
    }
    yield chunk;
  }

  async #lookUp(requests: readonly Request[]): ReturnType<typeof lookUp> {
    try {
      this.#halt.signal.throwIfAborted();
      return await this.#untilAnswered(() => lookUp(this.#services, requests, this.#failedJobs));
    } catch (err) {
      // A start without this knowledge could build a role twice.
      this.#halt.abort(err);
      return requests.map((request) => ({ request, known: { state: 'not started', after: undefined } }));
    }
  }

  #hasRoom(): boolean {
    const { maxInFlight = Infinity } = this.#options;
    return (this.#follower?.size() ?? 0) + this.#starts.size + this.#starts.pending < maxInFlight;
  }

  /** Waits until the condition holds or the batch halts. */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#halt.signal.aborted) await delay(CHECK_EVERY_MS);
  }

  /** Starts a request when its turn comes. Never rejects. */
  async #start(request: Request, known: Known, lookedUpAt: number): Promise<void> {
    try {
      this.#halt.signal.throwIfAborted();
      await this.#starts.add(async () => {
        const isOld = performance.now() - lookedUpAt > LOOKED_UP_WITHIN_MS;
        await this.#startNow(request, isOld ? await this.#lookUpAgain(request) : known);
      });
    } catch (err) {
      // Has no effect if the batch has already halted.
      this.#halt.abort(err);
      this.#addNotStarted(request);
    }
  }

  #addNotStarted(request: Request, error?: string): void {
    this.#add({ ...lineOf(request), job_id: this.#failedJobOf(request), status: 'NOT_STARTED', error });
  }

  /** Returns the job that failed in the earlier report. A report that keeps it can be used to run the request again. */
  #failedJobOf({ input }: Request): string | undefined {
    return this.#failedJobs.get(input.correlation_id);
  }

  async #startNow(request: Request, known: Known): Promise<void> {
    if (known.state !== 'not started') return this.#reportKnown(request, known);
    const { client, taskQueue, temporal } = this.#services;
    const requestId = startIdOf(request.input.correlation_id, known.after);
    try {
      const start = () => startRoleBuild(client, request.input, { taskQueue, requestId });
      const { job_id } = await this.#untilAnswered(() => temporal(start));
      this.started += 1;
      this.#follow(request, job_id);
    } catch (err) {
      const held = { state: 'held', error: (err as Error).message } as const;
      if (err instanceof BuildInProgressError) {
        const now = await this.#lookUpAgain(request);
        this.#reportKnown(request, now.state === 'not started' ? held : now);
      } else if (err instanceof CliError && err.reason === 'usage') this.#reportKnown(request, held);
      else if (err instanceof CliError && err.transient) {
        this.#halt.abort(err);
        this.#addNotStarted(request, 'its start got no answer, so it may be running');
      } else throw err;
    }
  }

  async #lookUpAgain(request: Request): Promise<Known> {
    const [found] = await this.#untilAnswered(() => lookUp(this.#services, [request], this.#failedJobs));
    return (found as { known: Known }).known;
  }

  async #untilAnswered<T>(call: () => Promise<T>): Promise<T> {
    const { signal } = this.#halt;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (err) {
        const mayWorkNext = err instanceof CliError && err.transient;
        if (!mayWorkNext || attempt === ATTEMPTS) throw err;
        await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) throw err;
      }
    }
  }

  #reportKnown(request: Request, known: Exclude<Known, { state: 'not started' }>): void {
    if (known.state !== 'held') this.startedBefore += 1;
    if (known.state === 'running') {
      this.onTheirWay += 1;
      this.#follow(request, known.job_id);
    } else if (known.state === 'held') {
      const job_id = this.#failedJobOf(request) ?? known.job_id;
      this.#add({ ...lineOf(request), job_id, status: 'REFUSED', error: known.error });
    } else {
      const { job_id, status, error } = known;
      this.#add({ ...lineOf(request), job_id, status, error });
    }
  }

  #follow(request: Request, job_id: string | undefined): void {
    const line = { ...lineOf(request), job_id, status: 'IN_PROGRESS' as const };
    if (this.#follower === undefined || job_id === undefined) return this.#add(line);
    this.#follower.add({ ...line, job_id });
    this.#onProgress();
  }

  #add(line: ReportLine): void {
    this.#report.add(line);
    this.#onProgress();
  }
}

/** @param rate starts per second; up to a tenth of a second's worth may start at once */
export function startQueue(rate: number | undefined): PQueue {
  if (rate === undefined) return new PQueue({ concurrency: CONCURRENT_STARTS });
  const intervalCap = Math.max(1, Math.floor(rate / 10));
  const interval = Math.min(INTERVAL_MAX_MS, (1_000 * intervalCap) / rate);
  return new PQueue({ concurrency: CONCURRENT_STARTS, intervalCap, interval, strict: true });
}

function lineOf({ line, input, workflowId }: Request): { line: number; correlation_id: string; workflow_id: string } {
  return { line, correlation_id: input.correlation_id, workflow_id: workflowId };
}
