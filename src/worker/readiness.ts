import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';

const RETRY_MS = 2_000;

/** Tells whether a worker is ready for builds: it runs, its pollers poll, and the tables have answered once. */
export class Readiness {
  #stopping = false;
  #tablesReached = false;
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
      } catch (err) {
        onFault(err);
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** @returns `undefined` if it is ready */
  whyNot(): string | undefined {
    if (this.#stopping) return 'stopping';
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
