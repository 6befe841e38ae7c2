/** How many short builds a second each contender completes, and how much CPU one costs. */
import {
  CONTENDERS,
  startOnTemporal,
  startOther,
  startTemporal,
  type Contender,
  type ContenderName,
} from '../measure/contenders.ts';
import { cpuMsOf } from '../measure/processes.ts';
import { inTurn } from '../measure/rounds.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { addTo, type Figure, type Row } from './figure.ts';

const POLL_INTERVAL_SECONDS = 1;
const UNDECIDED_POLLS = 1;
/** Faster contenders get more builds, in this proportion; otherwise the builds' own waits would be measured. */
const TIMES_AS_MANY = { roleBuild: 1, open: 1, plain: 1, dbos: 3, states: 4 } as const satisfies Record<
  ContenderName,
  number
>;
/** Limits the builds under way: a contender without an engine starts all at once, so that DynamoDB times out. */
const LOT = 100;
const LOTS_IN_FLIGHT = 3;
const GIVE_UP_MS = 120_000;

interface Batch {
  perSecond: number;
  engineMs: number;
  workerMs: number;
}

export const throughput: Figure = {
  name: 'throughput',
  title: 'Short builds',
  async measure({ quick, progress }) {
    const [rounds, builds] = quick ? [1, 30] : [5, 200];
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const contenders = [
      await startOnTemporal('roleBuild', temporal, at),
      ...(quick ? [] : [await startOnTemporal('open', temporal, at)]),
      await startOnTemporal('plain', temporal, at),
      await startOther('dbos', at),
      await startOther('states', at),
    ];
    const perSecond: Row = {
      what: 'short builds a second',
      unit: 'builds/s',
      values: {},
      bar: { against: 'plain', is: 'at least', bar: 1, goal: 1.3 },
    };
    const engine: Row = { what: 'engine CPU a short build', unit: 'ms', values: {} };
    const worker: Row = { what: 'worker CPU a short build', unit: 'ms', values: {} };
    for (const contender of contenders) await runBatch(contender, at, Math.ceil(builds / (quick ? 4 : 2)));
    await inTurn(contenders, rounds, progress, async (contender) => {
      const batch = await runBatch(contender, at, builds * TIMES_AS_MANY[contender.name]);
      addTo(perSecond, contender.name, batch.perSecond);
      addTo(worker, contender.name, batch.workerMs);
      if (contender.enginePid !== undefined) addTo(engine, contender.name, batch.engineMs);
    });
    await Promise.all(contenders.map((contender) => contender.stop()));
    await temporal.kill();
    await at.stop();
    const { open = [], plain = [] } = perSecond.values;
    const notEncrypted: Row = { ...perSecond, what: 'the same, none encrypted', values: { open, plain } };
    return {
      rows: [perSecond, ...(quick ? [] : [notEncrypted]), engine, worker],
      notes: [
        `${builds} builds of ${UNDECIDED_POLLS + 1} polls, ${POLL_INTERVAL_SECONDS} s apart (${TIMES_AS_MANY.dbos} times as many for DBOS, ${TIMES_AS_MANY.states} times for the interpreter), given to the engine as fast as it takes them, at most ${LOT * LOTS_IN_FLIGHT} in flight; from the first start to the last record's final record update.`,
      ],
    };
  },
};

async function runBatch(contender: Contender, at: Surroundings, builds: number): Promise<Batch> {
  const inputs = inputsFor(at, builds, {
    pollIntervalSeconds: POLL_INTERVAL_SECONDS,
    undecidedPolls: UNDECIDED_POLLS,
  });
  const [engineBefore, workerBefore, begun] = [
    cpuMsOf(contender.enginePid),
    cpuMsOf(contender.worker.pid),
    performance.now(),
  ];
  const lots = Array.from({ length: Math.ceil(builds / LOT) }, (_, i) => inputs.slice(i * LOT, (i + 1) * LOT));
  const ending: Promise<void>[] = [];
  for (const [i, lot] of lots.entries()) {
    await ending[i - LOTS_IN_FLIGHT];
    await contender.start(lot);
    ending.push(untilEnded(contender, at, lot));
  }
  await Promise.all(ending);
  return {
    perSecond: (builds * 1000) / (performance.now() - begun),
    engineMs: (cpuMsOf(contender.enginePid) - engineBefore) / builds,
    workerMs: (cpuMsOf(contender.worker.pid) - workerBefore) / builds,
  };
}

async function untilEnded(contender: Contender, at: Surroundings, lot: readonly RoleBuildInput[]): Promise<void> {
  try {
    await at.untilEnded(lot, GIVE_UP_MS);
  } catch (cause) {
    throw new Error(`${CONTENDERS[contender.name]} ended not all of its builds:\n${contender.worker.output()}`, {
      cause,
    });
  }
}
