/**
 * How many polls a second one machine makes when more fall due than it can make: what bounds the builds in flight, told in
 * half a minute for each contender where `in-flight` takes a quarter of an hour.
 */
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { CONTENDERS, startOnTemporal, startTemporal, type Contender } from '../measure/contenders.ts';
import { cpuMsOf } from '../measure/processes.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import type { Figure, Row } from './figure.ts';

const POLL_INTERVAL_SECONDS = 1;
/** More polls a second than either makes on a few cores. */
const BUILDS_A_CORE = 80;
const SETTLE_MS = 3_000;
const GIVE_UP_MS = 120_000;

interface Most {
  pollsPerSecond: number;
  engineMs: number;
  workerMs: number;
}

export const mostPolls: Figure = {
  name: 'most-polls',
  title: 'Polls a second, at most',
  async measure({ quick, progress }) {
    const [rounds, windowMs] = quick ? [1, 8_000] : [4, 20_000];
    const builds = BUILDS_A_CORE * availableParallelism();
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contenders = [await startOnTemporal('roleBuild', temporal, at), await startOnTemporal('plain', temporal, at)];
    const polls: Row = {
      what: 'polls a second, at most',
      unit: 'polls/s',
      values: {},
      bar: { against: 'plain', is: 'at least', bar: 2, stretch: 4 },
    };
    const against = { against: 'plain', is: 'at most' } as const;
    const engine: Row = {
      what: 'engine CPU a poll, at that load',
      unit: 'ms',
      values: {},
      bar: { ...against, bar: 0.7, stretch: 0.5 },
    };
    const worker: Row = {
      what: 'worker CPU a poll, at that load',
      unit: 'ms',
      values: {},
      bar: { ...against, bar: 1, stretch: 0.6 },
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        progress(`round ${round + 1} of ${rounds}: ${CONTENDERS[contender.name]}`);
        const most = await mostOf(contender, at, builds, windowMs);
        (polls.values[contender.name] ??= []).push(most.pollsPerSecond);
        (engine.values[contender.name] ??= []).push(most.engineMs);
        (worker.values[contender.name] ??= []).push(most.workerMs);
      }
    }
    await Promise.all(contenders.map((contender) => contender.stop()));
    await temporal.kill();
    await at.stop();
    return {
      rows: [polls, engine, worker],
      notes: [
        `${builds} builds that poll every ${POLL_INTERVAL_SECONDS} s, more than either can; watched for ${windowMs / 1000} s, in turn on one server. N builds that poll every 60 s make N / 60 polls a second, so no more than 60 times as many builds are on time.`,
      ],
    };
  },
};

async function mostOf(contender: Contender, at: Surroundings, builds: number, windowMs: number): Promise<Most> {
  const earlier = at.buildApi.builds().length;
  await contender.start(inputsFor(at, builds, { pollIntervalSeconds: POLL_INTERVAL_SECONDS }));
  await untilTrue('all builds are in flight', () => at.buildApi.builds().length - earlier >= builds, GIVE_UP_MS);
  await delay(SETTLE_MS);
  at.buildApi.clearRequests();
  const [engineBefore, workerBefore] = [cpuMsOf(contender.enginePid), cpuMsOf(contender.worker.pid)];
  const begun = performance.now();
  await delay(windowMs);
  const seconds = (performance.now() - begun) / 1000;
  const polls = at.buildApi.requests().filter(({ method }) => method === 'GET').length;
  const engineMs = (cpuMsOf(contender.enginePid) - engineBefore) / polls;
  const workerMs = (cpuMsOf(contender.worker.pid) - workerBefore) / polls;
  await contender.abandon();
  return { pollsPerSecond: polls / seconds, engineMs, workerMs };
}
