/** What CPU a poll costs engine and worker: the same number of builds in flight on each contender in turn, several rounds. */
import { setTimeout as delay } from 'node:timers/promises';
import { CONTENDERS, startOnTemporal, startOther, startTemporal, type Contender } from '../measure/contenders.ts';
import { cpuMsOf } from '../measure/processes.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import type { Figure, Row } from './figure.ts';

const POLL_INTERVAL_SECONDS = 2;
const SETTLE_MS = 5_000;
const GIVE_UP_MS = 300_000;

interface Cost {
  engineMs: number;
  workerMs: number;
}

export const pollCost: Figure = {
  name: 'poll-cost',
  title: 'CPU a poll',
  fullOnly: true,
  async measure({ quick, progress }) {
    const [rounds, builds, windowMs] = quick ? [2, 40, 8_000] : [4, 60, 20_000];
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contenders = [
      await startOnTemporal('roleBuild', temporal, at),
      await startOnTemporal('plain', temporal, at),
      ...(quick ? [] : [await startOther('dbos', at)]),
    ];
    const against = { against: 'plain', is: 'at most' } as const;
    const engine: Row = {
      what: 'engine CPU a poll',
      unit: 'ms',
      values: {},
      bar: { ...against, bar: 0.7, stretch: 0.5 },
    };
    const worker: Row = {
      what: 'worker CPU a poll',
      unit: 'ms',
      values: {},
      bar: { ...against, bar: 1, stretch: 0.6 },
    };
    // The first round compiles what is run often.
    for (let round = 0; round <= rounds; round += 1) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        progress(`round ${round} of ${rounds}: ${CONTENDERS[contender.name]}`);
        const cost = await costOf(contender, at, builds, windowMs);
        if (round === 0) continue;
        (engine.values[contender.name] ??= []).push(cost.engineMs);
        (worker.values[contender.name] ??= []).push(cost.workerMs);
      }
    }
    await Promise.all(contenders.map((contender) => contender.stop()));
    await temporal.kill();
    await at.stop();
    return {
      rows: [engine, worker],
      notes: [
        `${builds} builds that poll every ${POLL_INTERVAL_SECONDS} s, watched for ${windowMs / 1000} s, on each contender in turn; a first round is left out.`,
      ],
    };
  },
};

async function costOf(contender: Contender, at: Surroundings, builds: number, windowMs: number): Promise<Cost> {
  const earlier = at.buildApi.builds().length;
  await contender.start(inputsFor(at, builds, { pollIntervalSeconds: POLL_INTERVAL_SECONDS }));
  await untilTrue('all builds are in flight', () => at.buildApi.builds().length - earlier >= builds, GIVE_UP_MS);
  // The starts' own garbage is not a poll's.
  await delay(SETTLE_MS);
  at.buildApi.clearRequests();
  const [engineBefore, workerBefore] = [cpuMsOf(contender.enginePid), cpuMsOf(contender.worker.pid)];
  await delay(windowMs);
  const polls = at.buildApi.requests().filter(({ method }) => method === 'GET').length;
  const engineMs = (cpuMsOf(contender.enginePid) - engineBefore) / polls;
  const workerMs = (cpuMsOf(contender.worker.pid) - workerBefore) / polls;
  await contender.abandon();
  return { engineMs, workerMs };
}
