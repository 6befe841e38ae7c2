/**
 * How many polls a second one machine makes when more are due than it can make. This limits the builds in flight;
 * measuring it takes half a minute for each contender, while `in-flight` takes a quarter of an hour.
 */
import { availableParallelism } from 'node:os';
import { startOnTemporal, startTemporal } from '../measure/contenders.ts';
import { watchPolls } from '../measure/polls.ts';
import { inTurn } from '../measure/rounds.ts';
import { startSurroundings } from '../measure/surroundings.ts';
import { addTo, type Figure, type Row } from './figure.ts';
import { pollCostRows } from './poll-cost.ts';

const POLL_INTERVAL_SECONDS = 1;

interface Plan {
  rounds: number;
  windowMs: number;
  settleMs: number;
  buildsACore: number;
}

/** Sized so that all quick figures together take three minutes: a fast machine polls so few builds nearly on time. */
const QUICK: Plan = { rounds: 1, windowMs: 8_000, settleMs: 3_000, buildsACore: 80 };
/** More polls a second than either contender makes on a few cores. */
const FULL: Plan = { rounds: 4, windowMs: 20_000, settleMs: 5_000, buildsACore: 250 };

export const mostPolls: Figure = {
  name: 'most-polls',
  title: 'Polls a second, at most',
  async measure({ quick, progress }) {
    const { rounds, windowMs, settleMs, buildsACore } = quick ? QUICK : FULL;
    const builds = buildsACore * availableParallelism();
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contenders = [await startOnTemporal('roleBuild', temporal, at), await startOnTemporal('plain', temporal, at)];
    const polls: Row = {
      what: 'polls a second, at most',
      unit: 'polls/s',
      values: {},
      bar: { against: 'plain', is: 'at least', bar: 2, goal: 4 },
    };
    const { engine, worker } = pollCostRows(', at that load');
    const options = { builds, pollIntervalSeconds: POLL_INTERVAL_SECONDS, settleMs, windowMs };
    await inTurn(contenders, rounds, progress, async (contender) => {
      const { pollsPerSecond, engineMs, workerMs } = await watchPolls(contender, at, options);
      addTo(polls, contender.name, pollsPerSecond);
      addTo(engine, contender.name, engineMs);
      addTo(worker, contender.name, workerMs);
    });
    await Promise.all(contenders.map((contender) => contender.stop()));
    await temporal.kill();
    await at.stop();
    return {
      rows: [polls, engine, worker],
      notes: [
        `${builds} builds that poll every ${POLL_INTERVAL_SECONDS} s${quick ? '' : ', more than either can'}; watched for ${windowMs / 1000} s, in turn on one server. N builds that poll every 60 s make N / 60 polls a second, so no more than 60 times as many builds are on time.`,
      ],
    };
  },
};
