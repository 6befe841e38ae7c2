import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

/** Waits until a condition holds. @throws after a time limit, naming what was waited for */
export async function untilTrue(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeLimitMs: number,
): Promise<void> {
  const giveUpAt = performance.now() + timeLimitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeLimitMs / 1000} s in vain until ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
