import { setTimeout as delay } from 'node:timers/promises';

/** Waits so that no more than `perSecond` are let through a second; an abort ends the wait. */
export function createPace(perSecond: number | undefined, signal: AbortSignal): () => Promise<void> {
  let nextAt = 0;
  return async () => {
    if (perSecond === undefined) return;
    const now = performance.now();
    const at = Math.max(now, nextAt);
    nextAt = at + 1_000 / perSecond;
    if (at > now) await delay(at - now, undefined, { signal }).catch(() => undefined);
  };
}

/** So many places; whoever wants one more waits until one is left, or until an abort, after which nobody waits. */
export class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  readonly #signal: AbortSignal;

  constructor(count: number, signal: AbortSignal) {
    this.#free = count;
    this.#signal = signal;
    signal.addEventListener('abort', () => {
      for (const go of this.#waiting.splice(0)) go();
    });
  }

  async take(): Promise<void> {
    if (this.#free > 0 || this.#signal.aborted) this.#free -= 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
  }

  /** A place is taken already, whether one was free or not. */
  occupy(): void {
    this.#free -= 1;
  }

  leave(): void {
    this.#free += 1;
    if (this.#free <= 0) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#free -= 1;
    next();
  }
}
