/**
 * How many builds one machine holds while every poll stays on time, and what a poll costs meanwhile. Contenders are
 * measured one after the other, each on its own servers, with more and more builds until their polls are late.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  CONTENDERS,
  startOnTemporal,
  startOther,
  startTemporal,
  type Contender,
  type ContenderName,
} from '../measure/contenders.ts';
import { cpuMsOf, residentMbOf } from '../measure/processes.ts';
import { latenesses } from '../measure/polls.ts';
import { quantile } from '../measure/statistics.ts';
import type { RecordedRequest } from '../../dev/simulated-build-api/records.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../measure/surroundings.ts';
import { untilTrue } from '../measure/until.ts';
import type { Curve, Figure, Row } from './figure.ts';

const LATENESS_LIMIT_MS = 2_000;

interface Plan {
  pollIntervalSeconds: number;
  levels: readonly number[];
  /** The maximum. */
  startsPerSecond: number;
  settleMs: number;
  windowMs: number;
  contenders: readonly ContenderName[];
  /** Other levels and rates for contenders that are much faster. */
  otherwise?: Partial<Record<ContenderName, { levels: readonly number[]; startsPerSecond: number }>>;
}

/** Runs only if the figure is named, to check that it works. */
const QUICK: Plan = {
  pollIntervalSeconds: 2,
  levels: [20, 40],
  startsPerSecond: 12,
  settleMs: 2_000,
  windowMs: 4_000,
  contenders: ['plain', 'roleBuild'],
};
const FULL: Plan = {
  pollIntervalSeconds: 60,
  levels: [10, 100, 1_000, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000],
  startsPerSecond: 10,
  // At 5,000 builds both cores were busy with the last starts for some seconds more; only polls are to be measured.
  settleMs: 30_000,
  windowMs: 10_000,
  contenders: ['plain', 'roleBuild', 'dbos'],
  // DBOS starts more builds a second, and its polls are late only at far higher levels.
  otherwise: { dbos: { levels: [10, 100, 1_000, 10_000], startsPerSecond: 40 } },
};

interface Level {
  builds: number;
  onTime: boolean;
  latenessP99Ms: number;
  engineMsAPoll: number;
  workerMsAPoll: number;
  workerMb: number;
}

export const inFlight: Figure = {
  name: 'in-flight',
  title: 'Builds in flight',
  fullOnly: true,
  async measure({ quick, progress }) {
    const plan = quick ? QUICK : FULL;
    const found = new Map<ContenderName, Level[]>();
    for (const name of plan.contenders) {
      const levels = await climb(name, { ...plan, ...plan.otherwise?.[name] }, (level) => {
        const { builds, latenessP99Ms: late, onTime } = level;
        progress(`${CONTENDERS[name]}: ${builds} builds, p99 ${late.toFixed(0)} ms late${onTime ? '' : ': not held'}`);
      });
      found.set(name, levels);
    }
    return {
      rows: [heldOf(found), ...costsOf(found)],
      curves: curvesOf(found),
      notes: [
        `Each build polls every ${plan.pollIntervalSeconds} s; levels of ${plan.levels.join(', ')} builds${plan.otherwise?.dbos === undefined ? '' : ` (DBOS: ${plan.otherwise.dbos.levels.join(', ')})`}, each watched for ${plan.pollIntervalSeconds + plan.windowMs / 1000} s. A level is held while the p99 of the polls' lateness is at most ${LATENESS_LIMIT_MS / 1000} s, with each build that did not poll at all counted as ${plan.windowMs / 1000} s late, and 99 of 100 builds poll at all.`,
        `Builds are started evenly over whole intervals, at most ${plan.startsPerSecond} a second${plan.otherwise?.dbos === undefined ? '' : ` (DBOS: ${plan.otherwise.dbos.startsPerSecond})`}, so that their polls fall due evenly. A contender that held the last level may hold more.`,
      ],
    };
  },
};

async function climb(name: ContenderName, plan: Plan, tell: (level: Level) => void): Promise<Level[]> {
  const at = await startSurroundings();
  const temporal = name === 'roleBuild' || name === 'plain' ? await startTemporal() : undefined;
  const contender =
    temporal === undefined
      ? await startOther(name as 'dbos' | 'states', at)
      : await startOnTemporal(name as 'roleBuild' | 'plain', temporal, at);
  const levels: Level[] = [];
  let started = 0;
  try {
    for (const builds of plan.levels) {
      await startEvenly(contender, at, builds - started, plan);
      started = builds;
      const level = await watch(contender, at, builds, plan);
      levels.push(level);
      tell(level);
      if (!level.onTime) break;
    }
  } finally {
    await contender.stop();
    await temporal?.kill();
    await at.stop();
  }
  return levels;
}

/**
 * Starts builds over whole poll intervals. A build polls in the second of the interval in which it was started, so
 * starting builds over a part of an interval would make some of its seconds busier than others.
 */
async function startEvenly(contender: Contender, at: Surroundings, count: number, plan: Plan): Promise<void> {
  const { pollIntervalSeconds, startsPerSecond } = plan;
  const lastsMs = Math.ceil(count / startsPerSecond / pollIntervalSeconds) * pollIntervalSeconds * 1000;
  const begun = performance.now();
  const starting: Promise<void>[] = [];
  for (const [i, input] of inputsFor(at, count, plan).entries()) {
    await delay(Math.max(0, begun + (i * lastsMs) / count - performance.now()));
    starting.push(contender.start([input]));
  }
  await Promise.all(starting);
}

async function watch(contender: Contender, at: Surroundings, builds: number, plan: Plan): Promise<Level> {
  // Lateness counts only once all builds are in flight.
  await untilTrue(`${builds} builds are in flight`, () => at.buildApi.builds().length >= builds, 600_000);
  await delay(plan.settleMs);
  const since = Date.now();
  const [engineBefore, workerBefore] = [cpuMsOf(contender.enginePid), cpuMsOf(contender.worker.pid)];
  // Long enough for each build to poll at least once.
  await delay(plan.windowMs + plan.pollIntervalSeconds * 1000);
  const engineMs = cpuMsOf(contender.enginePid) - engineBefore;
  const workerMs = cpuMsOf(contender.worker.pid) - workerBefore;
  const isPoll = ({ method, at: time }: RecordedRequest) => method === 'GET' && time >= since;
  const paths = at.buildApi
    .requests()
    .filter(isPoll)
    .map(({ path }) => path);
  const polls = paths.length;
  // A build that did not poll at all is late by at least the time watched beyond its interval.
  const missing = Array<number>(Math.max(0, builds - new Set(paths).size)).fill(plan.windowMs);
  const latenessP99Ms = quantile([...latenesses(at.buildApi, plan.pollIntervalSeconds, since), ...missing], 0.99);
  // The lateness of the next level's polls is measured only from later requests.
  at.buildApi.clearRequests();
  return {
    builds,
    latenessP99Ms,
    onTime: latenessP99Ms <= LATENESS_LIMIT_MS && missing.length <= builds * 0.01,
    engineMsAPoll: engineMs / polls,
    workerMsAPoll: workerMs / polls,
    workerMb: residentMbOf(contender.worker.pid),
  };
}

type Found = ReadonlyMap<ContenderName, readonly Level[]>;

function heldOf(found: Found): Row {
  return {
    what: 'builds in flight, polls on time',
    unit: 'builds',
    values: Object.fromEntries([...found].map(([name, levels]) => [name, [heldBy(levels)]])),
    bar: { against: 'plain', is: 'at least', bar: 2, goal: 4 },
  };
}

/** The highest level at which the costs of a poll are compared. */
const COST_LEVEL = 3_000;

/** Compares the cost of a poll at the highest level that was measured for both. */
function costsOf(found: Found): Row[] {
  const plain = found.get('plain') ?? [];
  const theirsAt = (level: number) => plain.find(({ builds }) => builds === level);
  const ours = found.get('roleBuild')?.findLast(({ builds }) => builds <= COST_LEVEL && theirsAt(builds) !== undefined);
  const theirs = ours && theirsAt(ours.builds);
  if (ours === undefined || theirs === undefined) return [];
  const row = (what: string, bar: number, of: (level: Level) => number): Row => ({
    what: `${what} CPU a poll, ${ours.builds} builds in flight`,
    unit: 'ms',
    values: { roleBuild: [of(ours)], plain: [of(theirs)] },
    bar: { against: 'plain', is: 'at most', bar },
  });
  return [
    row('engine', 0.7, ({ engineMsAPoll }) => engineMsAPoll),
    row('worker', 0.8, ({ workerMsAPoll }) => workerMsAPoll),
  ];
}

function heldBy(levels: readonly Level[]): number {
  return Math.max(0, ...levels.filter(({ onTime }) => onTime).map(({ builds }) => builds));
}

function curvesOf(found: Found): Curve[] {
  const curve = (name: string, title: string, y: string, of: (level: Level) => number): Curve => ({
    name,
    title,
    x: 'builds in flight',
    y,
    logarithmic: ['x', 'y'],
    lines: Object.fromEntries(
      [...found].map(([contender, levels]) => [
        contender,
        levels.map((level): [number, number] => [level.builds, of(level)]),
      ]),
    ),
  });
  return [
    curve('lateness', 'Lateness of polls, p99', 'ms', ({ latenessP99Ms }) => latenessP99Ms),
    curve('engine-cpu', 'Engine CPU a poll', 'ms', ({ engineMsAPoll }) => engineMsAPoll),
    curve('worker-cpu', 'Worker CPU a poll', 'ms', ({ workerMsAPoll }) => workerMsAPoll),
    curve('worker-memory', 'Memory of the worker', 'MiB', ({ workerMb }) => workerMb),
  ];
}
