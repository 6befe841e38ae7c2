import { setTimeout as delay } from 'node:timers/promises';

/**
 * So many calls a second and no more, evenly spaced, first come first served. A call that would have to wait longer than is
 * sensible is turned away at once (`false`).
 */
export class RateLimit {
  readonly #spacingMs: number;
  readonly #maxWaitMs: number;
  #nextAt = 0;

  constructor(perSecond: number, maxWaitMs: number) {
    this.#spacingMs = 1000 / perSecond;
    this.#maxWaitMs = maxWaitMs;
  }

  /** Waits for its turn. @returns whether it has one @throws the signal's reason if that is aborted meanwhile */
  async take(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const at = Math.max(now, this.#nextAt);
    if (at - now > this.#maxWaitMs) return false;
    this.#nextAt = at + this.#spacingMs;
    if (at > now) await delay(at - now, undefined, { signal });
    return true;
  }
}
