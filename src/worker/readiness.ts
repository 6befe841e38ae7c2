import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';

const RETRY_MS = 2_000;
/** How long a worker waits for the first answer of the tables before it polls. */
const FIRST_ANSWER_WITHIN_MS = 2_000;

/** Tells whether a worker is ready for builds: it runs, its pollers poll, and the tables have answered once. */
export class Readiness {
  #stopping = false;
  #tablesReached = false;
  #refused: string | undefined;
  readonly #mayPoll = Promise.withResolvers<void>();
  #workers: readonly Worker[] = [];
  #whyNotMore: () => string | undefined = () => undefined;

  /** Makes the worker not ready from now on. */
  stop(): void {
    this.#stopping = true;
  }

  /** @param workers the one that runs workflows comes first @param whyNotMore called if nothing else is wrong */
  watch(workers: readonly Worker[], whyNotMore: () => string | undefined): void {
    this.#workers = workers;
    this.#whyNotMore = whyNotMore;
  }

  /** Tries until the tables answer or the worker stops. @param onFault called for each failed attempt */
  async reach(tables: () => Promise<void>, onFault: (err: unknown) => void): Promise<void> {
    while (!this.#stopping && !this.#tablesReached) {
      try {
        await tables();
        this.#tablesReached = true;
        this.#mayPoll.resolve();
      } catch (err) {
        onFault(err);
        this.#refused = refusalIn(err);
        if (this.#refused === undefined) this.#mayPoll.resolve();
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /**
   * Resolves once the worker may poll: when the tables have answered, or can't be reached, as in an outage. A worker whose
   * tables AWS refuses, because of a wrong name or region or a missing permission, would take builds from others and
   * fail them.
   */
  async mayPoll(): Promise<void> {
    const late = delay(FIRST_ANSWER_WITHIN_MS, undefined, { ref: false });
    await Promise.race([this.#mayPoll.promise, late]);
    if (this.#refused !== undefined) await this.#mayPoll.promise;
  }

  /** @returns `undefined` if it is ready */
  whyNot(): string | undefined {
    if (this.#stopping) return 'stopping';
    if (this.#refused !== undefined && !this.#tablesReached) return `AWS refuses the DynamoDB tables: ${this.#refused}`;
    const [builds] = this.#workers;
    if (builds === undefined) return 'starting';
    const { workflowPollerState } = builds.getStatus();
    if (workflowPollerState !== 'POLLING') return `the poller of workflow tasks is ${workflowPollerState}`;
    for (const { options, ...worker } of this.#workers.map((one) => ({ options: one.options, ...one.getStatus() }))) {
      if (worker.runState !== 'RUNNING') return `the worker of ${options.taskQueue} is ${worker.runState}`;
      if (worker.activityPollerState !== 'POLLING') {
        return `the poller of activities on ${options.taskQueue} is ${worker.activityPollerState}`;
      }
    }
    return this.#tablesReached ? this.#whyNotMore() : 'the DynamoDB tables have not answered yet';
  }
}

/** Returns the name of an error with which AWS refused a request for good; `undefined` for any other error. */
function refusalIn(err: unknown): string | undefined {
  const { name, $metadata: answer } = err as { name: string; $metadata?: { httpStatusCode?: number } };
  const isRefused = Math.trunc((answer?.httpStatusCode ?? 0) / 100) === 4;
  return isRefused && !/Throttl|Throughput|LimitExceeded/.test(name) ? name : undefined;
}
