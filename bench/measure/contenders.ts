/** The contenders: `roleBuild` and its peers, each with its engine and a worker, all behind one interface. */
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

/** The variables that the image's Dockerfile sets. The plain version runs with the defaults of Node.js and the SDK. */
export const IMAGE_ENVIRONMENT = {
  MALLOC_ARENA_MAX: '2',
  TOKIO_WORKER_THREADS: '1',
  NODE_OPTIONS: '--max-semi-space-size=8',
} as const;

export interface Contender {
  readonly name: ContenderName;
  worker: Child;
  /** The process that keeps durable state, if there is one. */
  readonly enginePid: number | undefined;
  /** Starts builds in order, some at a time. Resolves once all have begun. */
  start(inputs: readonly RoleBuildInput[]): Promise<void>;
  /** Ends every running build without changing the records. */
  abandon(): Promise<void>;
  /** Starts another worker after the previous one has ended. */
  startWorker(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Temporal's dev server, which contenders share. */
export function startTemporal(): Promise<TemporalServer> {
  const names = Object.keys(searchAttributes);
  const attributes = names.map((name) => [name, name === 'DryRun' ? 'Bool' : 'Keyword'] as const);
  return startTemporalServer({ uiPort: false, searchAttributes: Object.fromEntries(attributes) });
}

/**
 * Starts a contender on a shared Temporal server, with its own task queue. `roleBuild` runs as in production: from
 * `dist`, with encryption (or without, to measure its cost), search attributes, metrics and probes. The plain version
 * runs unchanged.
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
        // The build may have ended meanwhile.
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
  // Read at once, since only the last part of a program's output is kept.
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

/** Starts a worker program, whose path is relative to this file. @returns once it reports that it runs */
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

/** Waits until our worker is ready: its check of the tables makes calls, too. @throws after a time limit */
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
