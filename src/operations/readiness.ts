import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';

const RETRY_MS = 2_000;

/** Whether a worker takes builds on: it is running, its pollers poll, and the tables answered once since it started. */
export class Readiness {
  #stopping = false;
  #tablesReached = false;
  #worker: Worker | undefined;

  /** From here on it is not ready any more. */
  stop(): void {
    this.#stopping = true;
  }

  watch(worker: Worker): void {
    this.#worker = worker;
  }

  /** Tries until it succeeds or the worker stops. @param onFault is told of each attempt that failed */
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

  /** @returns `undefined` where it is ready */
  whyNot(): string | undefined {
    if (this.#stopping) return 'stopping';
    if (this.#worker === undefined) return 'starting';
    const { runState, workflowPollerState, activityPollerState } = this.#worker.getStatus();
    if (runState !== 'RUNNING') return `the worker is ${runState}`;
    if (workflowPollerState !== 'POLLING') return `the poller of workflow tasks is ${workflowPollerState}`;
    if (activityPollerState !== 'POLLING') return `the poller of activities is ${activityPollerState}`;
    return this.#tablesReached ? undefined : 'the DynamoDB tables have not answered yet';
  }
}
