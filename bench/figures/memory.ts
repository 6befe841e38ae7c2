/**
 * What a build that waits for its next poll takes of a worker's memory, without the garbage that V8 has not collected yet: all
 * contenders at once, since no time is measured.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CONTENDERS, startOnTemporal, startOther, startTemporal } from '../measure/contenders.ts';
import { residentMbOf } from '../measure/processes.ts';
import { slope } from '../measure/statistics.ts';
import { inputsFor, startSurroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import { addTo, type Figure, type Row } from './figure.ts';

/** None polls while it is measured. */
const POLL_INTERVAL_SECONDS = 3_600;
const SETTLE_MS = 2_000;
const COLLECT_MS = 2_000;
/** What is free after a collection is given back to the system by the next. */
const COLLECTIONS = 3;
const COLLECT_GARBAGE = fileURLToPath(new URL('../measure/collect-garbage.cjs', import.meta.url));
const WARM_UP_LOTS = 2;
const GIVE_UP_MS = 600_000;

export const memory: Figure = {
  name: 'memory',
  title: 'Memory of a worker',
  fullOnly: true,
  async measure({ quick, progress }) {
    const [rounds, step, steps] = quick ? [1, 60, 4] : [3, 300, 5];
    const row: Row = {
      what: 'worker memory a build in flight',
      unit: 'MiB',
      values: {},
      bar: { against: 'plain', is: 'at most', bar: 0.9, stretch: 0.5 },
    };
    for (let round = 0; round < rounds; round += 1) {
      const surroundings = await startSurroundings();
      const NODE_OPTIONS = `--expose-gc --require=${COLLECT_GARBAGE}`;
      const at = { ...surroundings, settings: { ...surroundings.settings, NODE_OPTIONS } };
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
      const points = new Map(contenders.map((contender) => [contender, [] as [number, number][]]));
      let started = 0;
      for (let i = 1; i <= steps; i += 1) {
        progress(`round ${round + 1} of ${rounds}: ${i * step} builds each`);
        await Promise.all(
          contenders.map((contender) =>
            contender.start(inputsFor(at, step, { pollIntervalSeconds: POLL_INTERVAL_SECONDS })),
          ),
        );
        started += step * contenders.length;
        await untilTrue('all builds are in flight', () => at.buildApi.builds().length >= started, GIVE_UP_MS);
        await delay(SETTLE_MS);
        // What comes first warms up: code is compiled, the allocators take what they need at most.
        if (i < WARM_UP_LOTS) continue;
        for (let collection = 0; collection < COLLECTIONS; collection += 1) {
          for (const { worker } of contenders) process.kill(worker.pid, 'SIGWINCH');
          await delay(COLLECT_MS);
        }
        for (const [contender, all] of points) all.push([i * step, residentMbOf(contender.worker.pid)]);
      }
      for (const [{ name }, all] of points) addTo(row, name, slope(all));
      await Promise.all(contenders.map((contender) => contender.stop()));
      await temporal.kill();
      await at.stop();
    }
    return {
      rows: [row],
      notes: [
        `Resident memory as ${step * steps} builds are started in lots of ${step} and wait, each time after garbage was collected in every thread: the slope from ${WARM_UP_LOTS} lots on, in a worker that is new each round (${Object.keys(
          row.values,
        )
          .map((name) => CONTENDERS[name as keyof typeof CONTENDERS])
          .join(', ')}, all at once).`,
      ],
    };
  },
};
