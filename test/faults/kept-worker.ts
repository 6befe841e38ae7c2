import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../../dev/servers/child.ts';
import type { FaultStack } from './fault-stack.ts';
import { lost, type Violation } from './violation.ts';

const BEGIN_AGAIN_MS = 500;

/** A worker that is restarted whenever it ends, as a platform would do. */
export class KeptWorker {
  /** Unexpected ends. */
  readonly faults: Violation[] = [];
  readonly #stack: FaultStack;
  #worker: Child | undefined;
  #beginning: Promise<void> | undefined;
  #ended = false;

  constructor(stack: FaultStack) {
    this.#stack = stack;
  }

  /** Starts the worker, repeatedly if it can't start, for example while Temporal is away. */
  begin(): Promise<void> {
    this.#beginning ??= this.#begin().finally(() => (this.#beginning = undefined));
    return this.#beginning;
  }

  async kill(awayMs: number): Promise<void> {
    const worker = this.#take();
    if (worker !== undefined) await this.#stack.killWorker(worker);
    await delay(awayMs);
    await this.begin();
  }

  async stop(awayMs: number): Promise<void> {
    const worker = this.#take();
    if (worker !== undefined) {
      const code = await this.#stack.stopWorker(worker);
      if (code !== 0) this.faults.push(lost(`a worker that was told to stop ended with exit code ${code}`));
    }
    await delay(awayMs);
    await this.begin();
  }

  /** Resolves once a worker is running. */
  async settle(): Promise<void> {
    await this.begin();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#beginning;
    await this.#take()?.stop();
  }

  #take(): Child | undefined {
    const worker = this.#worker;
    this.#worker = undefined;
    return worker;
  }

  async #begin(): Promise<void> {
    while (this.#worker === undefined && !this.#ended) {
      const worker = await this.#stack.startWorker().catch(() => undefined);
      if (worker === undefined) {
        await delay(BEGIN_AGAIN_MS);
        continue;
      }
      this.#worker = worker;
      void worker.exited.then((code) => {
        if (this.#worker !== worker || this.#ended) return undefined;
        this.#worker = undefined;
        this.faults.push(lost(`the worker ended by itself (exit code ${code}): ${worker.output().slice(-2_000)}`));
        return this.begin();
      });
    }
  }
}
