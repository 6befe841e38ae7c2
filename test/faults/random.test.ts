/**
 * Random schedules of faults, as many as fit in `FAULTS_MINUTES`; without it, one in each lane. Each prints its seed:
 * `FAULTS_SEED` runs that schedule again, with `FAULTS_PATH` in its shrunk form.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { newReport, writeReport } from './report.ts';
import { runSchedule } from './run-schedule.ts';
import { schedules } from './schedule.ts';

/** Schedules mostly wait, so several can run at once on a small machine. */
const LANES = 3;
const SHRINK_AT_MOST_MS = 180_000;

const { FAULTS_MINUTES: minutes, FAULTS_SEED: replayed, FAULTS_PATH: path } = process.env;
const isShort = minutes === undefined;
const firstSeed = Date.now() % 2 ** 31;
const report = newReport('random');

describe('under random schedules of faults, all promises hold', { concurrency: LANES }, () => {
  after(() => writeReport(report));

  if (replayed !== undefined) {
    it(`all promises hold in the schedule of seed ${replayed}`, () => holdsIn(Number(replayed)));
    return;
  }
  for (let lane = 0; lane < LANES; lane += 1) {
    it(`all promises hold under the random schedules of lane ${lane + 1}`, async (t) => {
      const endAt = performance.now() + Number(minutes ?? 0) * 60_000;
      let seed = firstSeed + lane;
      do {
        t.diagnostic(`seed ${seed}`);
        await holdsIn(seed);
        seed += LANES;
      } while (performance.now() < endAt);
    });
  }
});

async function holdsIn(seed: number): Promise<void> {
  let underWay: Promise<unknown> = Promise.resolve();
  const property = fc.asyncProperty(schedules(isShort), async (schedule) => {
    const running = runSchedule(schedule, report);
    underWay = running.catch(() => undefined);
    assert.deepEqual(await running, []);
  });
  try {
    await fc.assert(property, {
      seed,
      numRuns: 1,
      ...(path === undefined ? {} : { path }),
      plugins: [fc.interruptAfterTimeLimit(SHRINK_AT_MOST_MS)],
    });
  } finally {
    // An interrupted schedule still has its processes.
    await underWay;
  }
}
