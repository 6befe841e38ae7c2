import { setTimeout as delay } from 'node:timers/promises';

const GIVE_UP_MS = 20_000;
const LOOK_EVERY_MS = 10;

/** Waits until a condition holds. @throws after 20 s, naming what was waited for */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${GIVE_UP_MS / 1000} s in vain until ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
