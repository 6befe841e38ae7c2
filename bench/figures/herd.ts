/** What the build API gets from builds whose polls are due in the same second, with and without a spread. */
import { setTimeout as delay } from 'node:timers/promises';
import { startOnTemporal, startTemporal, type Contender } from '../measure/contenders.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import type { RecordedRequest } from '../../dev/simulated-build-api/server.ts';
import type { Figure, Row } from './figure.ts';

/** How long the build API takes to answer: requests that arrive faster wait in its queue. */
const ANSWER_MS = 500;
const SPREADS = [0, 5] as const;
const STARTS_PER_SECOND = 10;
/** Time for the last builds to reach their wait. */
const LEAD_SECONDS = 15;
const GIVE_UP_MS = 600_000;

export const herd: Figure = {
  name: 'herd',
  title: 'Thundering herd',
  fullOnly: true,
  async measure({ quick, progress }) {
    // The smaller herd is what one machine polls in two seconds; the larger one takes it long.
    const herds = quick ? [150] : [150, 1_000];
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contender = await startOnTemporal('roleBuild', temporal, at);
    const rows: Row[] = [];
    for (const builds of herds) {
      const busiest: Row = { what: `polls in the busiest second, of ${builds} builds`, unit: 'polls', values: {} };
      const queue: Row = { what: `polls in progress at once, of ${builds} builds`, unit: 'polls', values: {} };
      for (const spread of SPREADS) {
        progress(`${builds} builds, poll_spread_seconds ${spread}`);
        const polls = await pollsOf(contender, at, builds, spread);
        const name = `spread ${spread} s`;
        busiest.values[name] = [busiestSecond(polls)];
        queue.values[name] = [mostAtOnce(polls)];
      }
      rows.push(busiest, queue);
    }
    await contender.stop();
    await temporal.kill();
    await at.stop();
    return {
      rows,
      notes: [
        `The first polls of so many builds fall due at the same moment; the build API takes ${ANSWER_MS} ms for each. Without a spread the worker's and the engine's own speed is all that spreads them.`,
      ],
    };
  },
};

/** @returns the first polls of builds that are all due at one moment, or spread over the time after it */
async function pollsOf(
  contender: Contender,
  at: Surroundings,
  builds: number,
  spread: number,
): Promise<RecordedRequest[]> {
  at.buildApi.clearRequests();
  const earlier = at.buildApi.builds().length;
  const dueAt = Date.now() + (builds / STARTS_PER_SECOND + LEAD_SECONDS) * 1000;
  for (let started = 0; started < builds; started += STARTS_PER_SECOND) {
    // One machine can't start all builds in one second, so later ones wait for less time until the same moment.
    const waitSeconds = Math.round((dueAt - Date.now()) / 1000);
    await delay(Math.max(0, dueAt - waitSeconds * 1000 - Date.now()));
    const options = { pollSpreadSeconds: spread, answerDelaysMs: [ANSWER_MS], undecidedPolls: 0 };
    const lot = inputsFor(at, STARTS_PER_SECOND, { ...options, pollIntervalSeconds: waitSeconds });
    await contender.start(lot);
    await delay(Math.max(0, dueAt - (waitSeconds - 1) * 1000 - Date.now()));
  }
  const polls = () => at.buildApi.requests().filter(({ method, answered_at }) => method === 'GET' && answered_at);
  await untilTrue('all builds have polled', () => polls().length >= builds, GIVE_UP_MS);
  if (at.buildApi.builds().length - earlier !== builds) throw new Error('not every build was made');
  return polls();
}

function busiestSecond(polls: readonly RecordedRequest[]): number {
  return Math.max(...polls.map(({ at }) => polls.filter((other) => other.at >= at && other.at < at + 1000).length));
}

function mostAtOnce(polls: readonly RecordedRequest[]): number {
  return Math.max(
    ...polls.map(({ at }) => polls.filter((other) => other.at <= at && (other.answered_at ?? Infinity) > at).length),
  );
}
