import { setTimeout as delay } from 'node:timers/promises';

/** Far longer than any condition takes on a busy machine. */
const GIVE_UP_MS = 180_000;
const LOOK_EVERY_MS = 20;

/** Waits until a condition holds. @throws after a time limit, with `what` in the message */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeLimitMs = GIVE_UP_MS,
): Promise<void> {
  const giveUpAt = performance.now() + timeLimitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeLimitMs / 1000} s in vain until ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
