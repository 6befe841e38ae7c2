/** Who is measured: `roleBuild` and its peers, each with its engine and a worker, all started and asked in one way. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startChild, type Child } from '../../dev/servers/child.ts';
import { startTemporalServer, type TemporalServer } from '../../dev/servers/temporal-server.ts';
import { searchAttributes } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { createDataConverter } from '../../src/encryption/data-converter.ts';
import { parseLocalKeys } from '../../src/config/encryption.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { startPostgres } from '../peers/dbos/postgres.ts';
import type { Surroundings } from './surroundings.ts';
import { untilTrue } from './until.ts';

export const CONTENDERS = {
  roleBuild: 'roleBuild',
  open: 'roleBuild, not encrypted',
  plain: 'plain Temporal',
  dbos: 'DBOS + PostgreSQL',
  states: 'ASL interpreter',
} as const;
export type ContenderName = keyof typeof CONTENDERS;

const WORKER_READY_MS = 120_000;
const STARTS_AT_ONCE = 10;
const TASK_QUEUES = { roleBuild: 'role-builds', open: 'open-role-builds', plain: 'plain-role-builds' } as const;
const PROGRAMS = {
  roleBuild: '../../dist/worker.js',
  open: '../../dist/worker.js',
  plain: '../peers/plain/worker.ts',
  dbos: '../peers/dbos/worker.ts',
  states: '../peers/states/worker.ts',
} as const satisfies Record<ContenderName, string>;

/** What the image's Dockerfile sets for its programs; the plain version runs as Node.js and the SDK have it. */
export const IMAGE_ENVIRONMENT = {
  MALLOC_ARENA_MAX: '2',
  TOKIO_WORKER_THREADS: '1',
  NODE_OPTIONS: '--max-semi-space-size=8',
} as const;

/** One of them, running. */
export interface Contender {
  readonly name: ContenderName;
  worker: Child;
  /** The process that keeps what is durable; none where nothing is. */
  readonly enginePid: number | undefined;
  /** Starts builds, some at a time, in order. Resolves once all are begun. */
  start(inputs: readonly RoleBuildInput[]): Promise<void>;
  /** Ends every build under way, without a trace in the records. */
  abandon(): Promise<void>;
  /** Another worker, where the one before is gone. */
  startWorker(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Temporal's dev server for contenders to share. */
export function startTemporal(): Promise<TemporalServer> {
  const names = Object.keys(searchAttributes);
  const attributes = names.map((name) => [name, name === 'DryRun' ? 'Bool' : 'Keyword'] as const);
  return startTemporalServer({ uiPort: false, searchAttributes: Object.fromEntries(attributes) });
}

/**
 * `roleBuild` as it is run for real: from `dist`, with encryption (or without, to tell what that costs), search
 * attributes, metrics and probes; the plain version
 * as it stands. All on the same server, on a task queue of their own.
 */
export async function startOnTemporal(
  name: keyof typeof TASK_QUEUES,
  temporal: TemporalServer,
  at: Surroundings,
): Promise<Contender> {
  const isOurs = name !== 'plain';
  const isEncrypted = name === 'roleBuild';
  const key = `bench:${randomBytes(32).toString('base64')}`;
  const taskQueue = TASK_QUEUES[name];
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({
    connection,
    ...(isEncrypted ? { dataConverter: createDataConverter({ localKeys: parseLocalKeys(key) }, 'default') } : {}),
  });
  const settings = {
    ...at.settings,
    TEMPORAL_ADDRESS: temporal.address,
    ROLE_BUILD_TASK_QUEUE: taskQueue,
    ...(isOurs ? { ...IMAGE_ENVIRONMENT, METRICS_ADDRESS: '127.0.0.1:0', HEALTH_ADDRESS: '127.0.0.1:0' } : {}),
    ...(isEncrypted ? { ENCRYPTION_KEYS: key } : {}),
  };
  const startOne = async (input: RoleBuildInput) => {
    if (isOurs) return void (await startRoleBuild(client, input, { taskQueue }));
    const workflowId = `plain:${input.correlation_id}`;
    await client.workflow.start('plainRoleBuild', { workflowId, taskQueue, args: [input] });
  };
  const contender: Contender = {
    name,
    worker: await startWorker(PROGRAMS[name], settings),
    startWorker: async () => {
      contender.worker = await startWorker(PROGRAMS[name], settings);
    },
    enginePid: temporal.pid,
    start: (inputs) => someAtATime(inputs, startOne),
    abandon: async () => {
      const query = `ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
      const running: string[] = [];
      for await (const { workflowId } of client.workflow.list({ query })) running.push(workflowId);
      await someAtATime(running, async (workflowId) => {
        // It may have come to its end meanwhile.
        await client.workflow
          .getHandle(workflowId)
          .terminate('bench')
          .catch(() => undefined);
      });
    },
    stop: async () => {
      await contender.worker.kill();
      await connection.close();
    },
  };
  return contender;
}

export async function startOther(name: 'dbos' | 'states', at: Surroundings): Promise<Contender> {
  const postgres = name === 'dbos' ? await startPostgres() : undefined;
  const settings = { ...at.settings, ...(postgres === undefined ? {} : { DBOS_SYSTEM_DATABASE_URL: postgres.url }) };
  const worker = await startWorker(PROGRAMS[name], settings);
  // At once, since of a program's output only the end is kept.
  let door = doorOf(worker);
  const contender: Contender = {
    name,
    worker,
    startWorker: async () => {
      contender.worker = await startWorker(PROGRAMS[name], settings);
      door = doorOf(contender.worker);
    },
    enginePid: postgres?.pid,
    start: async (inputs) => {
      await someAtATime(inputs, (input) => ask(door, { method: 'POST', body: JSON.stringify([input]) }));
    },
    abandon: () => ask(door, { method: 'DELETE' }),
    stop: async () => {
      await contender.worker.kill();
      await postgres?.stop();
    },
  };
  return contender;
}

/** Starts a worker program of a path relative to this file. @returns once it says that it runs */
export async function startWorker(program: string, settings: Record<string, string>): Promise<Child> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...settings };
  const worker = await startChild(process.execPath, [fileURLToPath(new URL(program, import.meta.url))], { env });
  const giveUpAt = performance.now() + WORKER_READY_MS;
  while (!worker.output().includes('"state":"RUNNING"')) {
    if (worker.hasExited() || performance.now() > giveUpAt) {
      await worker.kill();
      throw new Error(`${program} did not start:\n${worker.output()}`);
    }
    await delay(5);
  }
  return worker;
}

/** Waits until a worker of ours has seen its tables, which takes calls that are no build's. @throws after a time limit */
export async function untilReady(worker: Child): Promise<void> {
  const port = /"port":(\d+),"msg":"health listening"/.exec(worker.output())?.[1];
  const isReady = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok);
  await untilTrue('the worker is ready', isReady, WORKER_READY_MS);
}

function doorOf(worker: Child): string {
  const url = /"url":"([^"]+)"/.exec(worker.output())?.[1];
  if (url === undefined) throw new Error('the worker did not say where it listens');
  return url;
}

async function ask(url: string, init: RequestInit): Promise<void> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
}

async function someAtATime<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  const lane = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
}
