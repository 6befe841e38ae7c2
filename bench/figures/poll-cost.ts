/** How much CPU a poll costs engine and worker, in rounds with the same number of builds on each contender. */
import { startOnTemporal, startOther, startTemporal } from '../measure/contenders.ts';
import { watchPolls } from '../measure/polls.ts';
import { inTurn } from '../measure/rounds.ts';
import { startSurroundings } from '../measure/surroundings.ts';
import { addTo, type Figure, type Row } from './figure.ts';

const POLL_INTERVAL_SECONDS = 2;

export const pollCost: Figure = {
  name: 'poll-cost',
  title: 'CPU a poll',
  fullOnly: true,
  async measure({ quick, progress }) {
    const [rounds, builds, settleMs, windowMs] = quick ? [2, 40, 5_000, 8_000] : [3, 60, 10_000, 45_000];
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contenders = [
      await startOnTemporal('roleBuild', temporal, at),
      await startOnTemporal('plain', temporal, at),
      ...(quick ? [] : [await startOther('dbos', at)]),
    ];
    const { engine, worker } = pollCostRows();
    const options = { builds, pollIntervalSeconds: POLL_INTERVAL_SECONDS, settleMs, windowMs };
    await inTurn(contenders, rounds + 1, progress, async (contender, round) => {
      const { engineMs, workerMs } = await watchPolls(contender, at, options);
      // In the first round, V8 compiles the hot code.
      if (round === 1) return;
      addTo(engine, contender.name, engineMs);
      addTo(worker, contender.name, workerMs);
    });
    await Promise.all(contenders.map((contender) => contender.stop()));
    await temporal.kill();
    await at.stop();
    return {
      rows: [engine, worker],
      notes: [
        `${builds} builds that poll every ${POLL_INTERVAL_SECONDS} s, watched for ${windowMs / 1000} s from ${settleMs / 1000} s after the last of them began, on each contender in turn; a first round is left out.`,
      ],
    };
  },
};

/** Makes the rows of CPU a poll, with the bars that both figures share. */
export function pollCostRows(when = ''): { engine: Row; worker: Row } {
  const row = (whose: string, bar: number, goal: number): Row => ({
    what: `${whose} CPU a poll${when}`,
    unit: 'ms',
    values: {},
    bar: { against: 'plain', is: 'at most', bar, goal },
  });
  return { engine: row('engine', 0.7, 0.5), worker: row('worker', 1, 0.6) };
}
