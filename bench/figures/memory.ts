/**
 * How much of a worker's memory a build takes while it waits for its next poll. Resident memory is measured, so it
 * includes garbage and what the allocators keep. All contenders run at once, since no time is measured.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CONTENDERS, startOnTemporal, startOther, startTemporal, type Contender } from '../measure/contenders.ts';
import { residentMbOf } from '../measure/processes.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import { addTo, type Bar, type Figure, type Row } from './figure.ts';

const SAMPLE_EVERY_MS = 1_000;
const IDLE_MS = 10_000;
const GIVE_UP_MS = 600_000;

export const memory: Figure = {
  name: 'memory',
  title: 'Memory of a worker',
  fullOnly: true,
  async measure({ quick, progress }) {
    const [rounds, few, many, pollIntervalSeconds] = quick ? [1, 60, 180, 20] : [3, 300, 900, 120];
    const row = (what: string): Row => ({ what, unit: 'MiB', values: {} });
    const bar: Bar = { against: 'plain', is: 'at most', bar: 0.55, goal: 0.5 };
    const aBuild = { ...row('worker memory a build in flight'), bar };
    // A worker that has bundled its workflows starts with free heap that the bundler left, which its first builds use.
    const fromIdle = { ...row('worker memory a build in flight, from an idle worker on'), bar };
    const all = row(`worker memory, ${many} builds in flight`);
    for (let round = 1; round <= rounds; round += 1) {
      const at = await startSurroundings();
      const temporal = await startTemporal();
      const contenders = [
        await startOnTemporal('roleBuild', temporal, at),
        await startOnTemporal('plain', temporal, at),
        ...(quick
          ? []
          : [
              await startOnTemporal('open', temporal, at),
              await startOther('dbos', at),
              await startOther('states', at),
            ]),
      ];
      const idle = await meanResidentMb(contenders, IDLE_MS);
      const inFlight = async (builds: number, before: number) => {
        progress(`round ${round} of ${rounds}: ${builds} builds each`);
        await startEach(contenders, at, builds - before, pollIntervalSeconds);
        return await meanResidentMb(contenders, pollIntervalSeconds * 1000);
      };
      const withFew = await inFlight(few, 0);
      const withMany = await inFlight(many, few);
      for (const [i, { name }] of contenders.entries()) {
        const [none = NaN, some = NaN, most = NaN] = [idle[i], withFew[i], withMany[i]];
        addTo(aBuild, name, (most - some) / (many - few));
        addTo(fromIdle, name, (most - none) / many);
        addTo(all, name, most);
      }
      await Promise.all(contenders.map((contender) => contender.stop()));
      await temporal.kill();
      await at.stop();
    }
    const names = Object.keys(all.values).map((name) => CONTENDERS[name as keyof typeof CONTENDERS]);
    return {
      rows: [aBuild, fromIdle, all],
      notes: [
        `Resident memory, the mean of ${pollIntervalSeconds} s in which each build polls once, with ${few} and with ${many} builds in flight; a build's is the difference, of those two or from ${IDLE_MS / 1000} s without any. Workers are new each round (${names.join(', ')}, all at once).`,
      ],
    };
  },
};

/** Starts more builds on each contender, and waits until all are in flight. */
async function startEach(
  contenders: readonly Contender[],
  at: Surroundings,
  builds: number,
  pollIntervalSeconds: number,
): Promise<void> {
  const inFlight = at.buildApi.builds().length + builds * contenders.length;
  await Promise.all(contenders.map((contender) => contender.start(inputsFor(at, builds, { pollIntervalSeconds }))));
  await untilTrue('all builds are in flight', () => at.buildApi.builds().length >= inFlight, GIVE_UP_MS);
}

async function meanResidentMb(contenders: readonly Contender[], windowMs: number): Promise<number[]> {
  const samples = Math.ceil(windowMs / SAMPLE_EVERY_MS);
  const sums = contenders.map(() => 0);
  for (let sample = 0; sample < samples; sample += 1) {
    await delay(SAMPLE_EVERY_MS);
    for (const [i, { worker }] of contenders.entries()) sums[i] = (sums[i] ?? 0) + residentMbOf(worker.pid);
  }
  return sums.map((sum) => sum / samples);
}
