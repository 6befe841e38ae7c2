import { setTimeout as delay } from 'node:timers/promises';

/**
 * Allows a number of calls a second, evenly spaced, first come first served. Rejects a call at once (`false`) if it
 * would wait longer than `maxWaitMs`.
 */
export class RateLimit {
  readonly #spacingMs: number;
  readonly #maxWaitMs: number;
  #nextAt = 0;

  constructor(perSecond: number, maxWaitMs: number) {
    this.#spacingMs = 1000 / perSecond;
    this.#maxWaitMs = maxWaitMs;
  }

  /** Waits for a turn. @returns whether there is one @throws AbortError if the signal is aborted meanwhile */
  async take(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const at = Math.max(now, this.#nextAt);
    if (at - now > this.#maxWaitMs) return false;
    this.#nextAt = at + this.#spacingMs;
    if (at > now) await delay(at - now, undefined, { signal });
    return true;
  }
}
