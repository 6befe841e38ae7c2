/** Starts the requests of a batch that nobody has started yet: a few at a time, at a rate, and with so many in flight. */
import { BuildInProgressError, startRoleBuild } from '../../start-role-build.ts';
import { CliError } from '../errors.ts';
import type { Services } from '../services.ts';
import { heldBy, lookUp, type Earlier, type LookedUp } from './earlier.ts';
import type { BuildFollower } from './follow-many.ts';
import { createPace, Places } from './pace.ts';
import type { FailedRequests } from './failed-requests.ts';
import type { Report, ReportLine } from './report.ts';
import { isRequest, startIdOf, type InvalidLine, type Request } from './requests.ts';
import { describeFaults } from './lines.ts';

/** More would only queue in the server. */
const CONCURRENT_STARTS = 16;
/** Requests whose records are looked at in one call. */
const LOOKED_AT_TOGETHER = 50;
/** A start is made again with the same ID while Temporal is away, each attempt for as long as a call may take. */
const ATTEMPTS = 6;

export interface StartingOptions {
  rate?: number;
  maxInFlight?: number;
  /** Only these. */
  failed?: FailedRequests;
  signal: AbortSignal;
  onProgress: () => void;
}

export class BatchStarter {
  /** Builds that this run has started. */
  started = 0;
  /** Requests that were started before it. */
  startedBefore = 0;
  /** Those of them whose builds were on their way when it came to them. */
  onTheirWay = 0;
  readonly #services: Services;
  readonly #report: Report;
  /** Where builds are followed, so that places become free. */
  readonly #follower: BuildFollower | undefined;
  readonly #options: StartingOptions;
  readonly #inFlight: Places | undefined;
  readonly #hands: Places;
  readonly #paced: () => Promise<void>;
  /** Aborted by the user, or by what makes it no use to go on. */
  readonly #halt = new AbortController();
  readonly #signal: AbortSignal;

  constructor(services: Services, report: Report, follower: BuildFollower | undefined, options: StartingOptions) {
    this.#services = services;
    this.#report = report;
    this.#follower = follower;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#halt.signal]);
    this.#inFlight = options.maxInFlight === undefined ? undefined : new Places(options.maxInFlight, this.#signal);
    this.#hands = new Places(CONCURRENT_STARTS, this.#signal);
    this.#paced = createPace(options.rate, this.#signal);
  }

  /** A followed build has ended, and leaves its place. */
  ended(): void {
    this.#inFlight?.leave();
  }

  /** Starts no more; {@link run} throws it at its end. */
  halt(fault: unknown): void {
    this.#halt.abort(fault);
  }

  /**
   * Goes through all requests to the end: after an interrupt they are reported as not started.
   *
   * @throws CliError `unreachable` once a service stays away, `usage` where the lines can't be read on; all that were read are
   *   reported
   */
  async run(requests: AsyncIterable<Request | InvalidLine>): Promise<void> {
    const tasks = new Set<Promise<void>>();
    for await (const { request, earlier, after } of this.#lookedUp(requests)) {
      if (earlier !== undefined) {
        this.#reportEarlier(request, earlier);
        continue;
      }
      await this.#inFlight?.take();
      await this.#hands.take();
      await this.#paced();
      const task = this.#startOne(request, after).finally(() => {
        this.#hands.leave();
        tasks.delete(task);
      });
      tasks.add(task);
    }
    await Promise.all(tasks);
    if (this.#halt.signal.aborted) throw this.#halt.signal.reason;
  }

  /** All requests, looked up in advance. */
  async *#lookedUp(lines: AsyncIterable<Request | InvalidLine>): AsyncGenerator<LookedUp> {
    let looking: Promise<LookedUp[]> | undefined;
    for await (const requests of chunks(this.#chosen(lines))) {
      const next = this.#lookUp(requests);
      yield* (await looking) ?? [];
      looking = next;
    }
    yield* (await looking) ?? [];
  }

  /** Without those that are not to be started: they are reported. */
  async *#chosen(lines: AsyncIterable<Request | InvalidLine>): AsyncGenerator<Request> {
    const { failed } = this.#options;
    try {
      for await (const one of lines) {
        if (failed?.has(one.line, isRequest(one) ? one.input.correlation_id : undefined) === false) continue;
        if (!isRequest(one)) {
          this.#add({ line: one.line, status: 'INVALID', error: describeFaults(one.line, one.faults) });
        } else if (this.#signal.aborted) {
          this.#add({ ...lineOf(one), status: 'NOT_STARTED' });
        } else {
          yield one;
        }
      }
    } catch (err) {
      this.halt(err);
    }
  }

  async #lookUp(requests: readonly Request[]): Promise<LookedUp[]> {
    try {
      if (!this.#signal.aborted) {
        return await lookUp(this.#services, requests, ({ input }) =>
          this.#options.failed?.jobs.get(input.correlation_id),
        );
      }
    } catch (err) {
      // To start without knowing what was started would be to build twice.
      this.halt(err);
    }
    return requests.map((request) => ({ request, earlier: undefined, after: undefined }));
  }

  async #startOne(request: Request, after: string | undefined): Promise<void> {
    if (this.#signal.aborted) return this.#notStarted(request);
    const { input } = request;
    const requestId = startIdOf(input.correlation_id, after);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { client, taskQueue } = this.#services;
        const build = await this.#services.temporal(() => startRoleBuild(client, input, { taskQueue, requestId }));
        this.started += 1;
        return this.#follow({ ...lineOf(request), job_id: build.job_id, status: 'IN_PROGRESS' });
      } catch (err) {
        if (err instanceof BuildInProgressError) return await this.#held(request, err);
        if (err instanceof CliError && err.reason === 'usage') {
          this.#inFlight?.leave();
          return this.#add({ ...lineOf(request), status: 'REFUSED', error: err.message });
        }
        const mayDoNext = err instanceof CliError && err.transient;
        if (!mayDoNext || attempt === ATTEMPTS || this.#signal.aborted) {
          if (!this.#options.signal.aborted) this.halt(err);
          return this.#notStarted(request);
        }
      }
    }
  }

  async #held(request: Request, err: BuildInProgressError): Promise<void> {
    try {
      const earlier = await heldBy(this.#services, request, err);
      this.#inFlight?.leave();
      this.#reportEarlier(request, earlier);
    } catch (fault) {
      this.halt(fault);
      this.#notStarted(request);
    }
  }

  #reportEarlier(request: Request, { status, job_id, error }: Earlier): void {
    if (status !== 'REFUSED') this.startedBefore += 1;
    if (status === 'IN_PROGRESS') this.onTheirWay += 1;
    const line = { ...lineOf(request), ...(job_id === undefined ? {} : { job_id }), status };
    if (status === 'IN_PROGRESS' && job_id !== undefined) {
      this.#inFlight?.occupy();
      this.#follow({ ...line, job_id });
    } else {
      this.#add({ ...line, ...(error === undefined ? {} : { error }) });
    }
  }

  #follow(line: ReturnType<typeof lineOf> & { job_id: string; status: ReportLine['status'] }): void {
    if (this.#follower === undefined) return this.#add(line);
    this.#follower.add(line);
    this.#options.onProgress();
  }

  #notStarted(request: Request): void {
    this.#inFlight?.leave();
    this.#add({ ...lineOf(request), status: 'NOT_STARTED' });
  }

  #add(line: ReportLine): void {
    this.#report.add(line);
    this.#options.onProgress();
  }
}

function lineOf({ line, input, workflowId }: Request): { line: number; correlation_id: string; workflow_id: string } {
  return { line, correlation_id: input.correlation_id, workflow_id: workflowId };
}

async function* chunks(requests: AsyncIterable<Request>): AsyncGenerator<Request[]> {
  let chunk: Request[] = [];
  for await (const request of requests) {
    chunk.push(request);
    if (chunk.length === LOOKED_AT_TOGETHER) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}
