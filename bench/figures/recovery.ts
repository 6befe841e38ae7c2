/** How long a new worker takes to catch up with builds whose polls all became due while no worker ran. */
import { setTimeout as delay } from 'node:timers/promises';
import { CONTENDERS, startOnTemporal, startOther, startTemporal, type Contender } from '../measure/contenders.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import { addTo, type Figure, type Row } from './figure.ts';

const GIVE_UP_MS = 900_000;
/** How long a task waits in the sticky queue of a worker that is gone; then any other worker can take it. */
const STICKY_MS = 11_000;

export const recovery: Figure = {
  name: 'recovery',
  title: 'Recovery after a kill',
  fullOnly: true,
  async measure({ quick, progress }) {
    const [rounds, sleepers] = quick ? [1, 60] : [1, 3_000];
    // Longer than it takes to start all of them.
    const intervals = quick ? { roleBuild: 12, dbos: 12 } : { roleBuild: 300, dbos: 120 };
    const row: Row = { what: `${sleepers} sleepers polled after a kill`, unit: 's', values: {} };
    const at = await startSurroundings();
    const temporal = await startTemporal();
    for (let round = 0; round < rounds; round += 1) {
      const contenders = [await startOnTemporal('roleBuild', temporal, at), await startOther('dbos', at)];
      for (const contender of contenders) {
        progress(`round ${round + 1} of ${rounds}: ${CONTENDERS[contender.name]}`);
        const seconds = await killAndRecover(
          contender,
          at,
          sleepers,
          intervals[contender.name as keyof typeof intervals],
        );
        addTo(row, contender.name, seconds);
        await contender.abandon();
        await contender.stop();
      }
    }
    await temporal.kill();
    await at.stop();
    return {
      rows: [row],
      notes: [
        `${sleepers} builds wait for a poll; the worker is killed (SIGKILL) and all polls fall due while there is none; from the start of a new worker until each build has polled, the new worker's own start included.`,
      ],
    };
  },
};

async function killAndRecover(
  contender: Contender,
  at: Surroundings,
  sleepers: number,
  pollIntervalSeconds: number,
): Promise<number> {
  const inputs = inputsFor(at, sleepers, { pollIntervalSeconds });
  const names = new Set(inputs.map(({ correlation_id: name }) => name));
  const own = () => at.buildApi.builds().filter(({ correlation_id: name }) => names.has(name));
  await contender.start(inputs);
  await untilTrue('all builds wait', () => own().length === sleepers, GIVE_UP_MS);
  // The engine stores the answers a little after the build API gives them.
  await delay(1_000);
  await contender.worker.kill();
  const before = new Map(own().map(({ correlation_id: name, polls }) => [name, polls]));
  await delay(pollIntervalSeconds * 1000 + STICKY_MS);
  const begun = performance.now();
  await contender.startWorker();
  const missed = () => own().filter(({ correlation_id: name, polls }) => polls <= (before.get(name) ?? 0));
  await untilTrue('all builds have polled', () => missed().length === 0, GIVE_UP_MS);
  return (performance.now() - begun) / 1000;
}
