/** Runs the real workflow on a real server, with a real worker whose activities follow a script. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { msToTs } from '@temporalio/common/lib/time.js';
import type { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { findTimeSkippingServer } from '../../dev/servers/temporal-binaries.ts';
import { startTemporalServer } from '../../dev/servers/temporal-server.ts';
import {
  directoryQueueOf,
  ROLE_BUILD_WORKFLOW_TYPE,
  searchAttributes,
  triggersQueueOf,
  workflowIdOf,
} from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { quietRuntime } from './quiet-runtime.ts';
import { RunningBuild } from './running-build.ts';
import { ScriptedActivities, type Script } from './scripted-activities.ts';
import { workflowBundle } from './workflow-bundles.ts';

export const TASK_QUEUE = 'workflow-tests';
const EXAMPLE = new URL('../fixtures/input.json', import.meta.url);

let cases = 0;

/** Returns the example input with a resource and a request that no other build of this process has. */
export function inputWith(more: Partial<RoleBuildInput> = {}): RoleBuildInput {
  cases += 1;
  const example = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as RoleBuildInput;
  return { ...example, ddb_composite_sort_key: `iam_role#case-${cases}`, correlation_id: `request-${cases}`, ...more };
}

export interface BuildOptions {
  /** Overrides keys of the example. */
  input?: Partial<RoleBuildInput>;
  /** Sent instead of an input, as a careless client may do. */
  rawInput?: unknown;
  /** The workflow's second argument. */
  resumption?: unknown;
  /** Overrides the ID made from the input's account and resource. */
  workflowId?: string;
  taskQueue?: string;
  /** Further fields of the start request, which any client can set. */
  request?: temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest;
  /** A poll learns of a cancellation when its task is renewed, at four fifths of this; see {@link SHORT_TASK_MS}. */
  workflowTaskTimeoutMs?: number;
  /** Lets the dev server skip the waits of this build, each within 200 ms; needs {@link SKIPPING}. */
  skipWaits?: boolean;
}

/** For tests that wait for a renewal. A busy machine exceeds shorter time-outs. */
export const SHORT_TASK_MS = 15_000;
/** A worker that has not drained by then fails the test. */
const SHUTDOWN_FORCE_TIME = '90 seconds';

/** Dynamic configuration of the dev server that allows time skipping. */
export const SKIPPING = { 'frontend.WorkflowTimeSkippingEnabled': true };
/** Fires timers when they are due; by default they fire up to a second late. */
const PUNCTUAL = { 'history.timerProcessorMaxTimeShift': '1ms' };
const ALL_WAITS = { enabled: true, maxSessionSkipCount: 1_000_000 };

interface Server {
  client: Client;
  nativeConnection: NativeConnection;
  nowMs(): Promise<number>;
  /** Sleeps by the server's time. */
  sleep(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export class WorkflowEnvironment {
  readonly #server: Server;
  readonly #scripted: ScriptedActivities;
  readonly #stopWorkers: (() => Promise<void>)[] = [];
  /** The task queues that have a worker for triggers. */
  readonly #triggersOf = new Set<string>();

  private constructor(server: Server) {
    this.#server = server;
    this.#scripted = new ScriptedActivities(server.nowMs);
  }

  /** Starts the time-skipping server, on which waits take no time. A worker polls {@link TASK_QUEUE}. */
  static async timeSkipping(): Promise<WorkflowEnvironment> {
    return WorkflowEnvironment.#on(startTimeSkippingServer());
  }

  /** Starts Temporal's dev server, which the time-skipping one only imitates. A worker polls {@link TASK_QUEUE}. */
  static async devServer(dynamicConfig: Record<string, number | boolean | string> = {}): Promise<WorkflowEnvironment> {
    return WorkflowEnvironment.#on(startDevServer(dynamicConfig));
  }

  static async #on(starting: Promise<Server>): Promise<WorkflowEnvironment> {
    const [server] = await Promise.all([starting, workflowBundle()]);
    const environment = new WorkflowEnvironment(server);
    await environment.startWorker();
    return environment;
  }

  get client(): Client {
    return this.#server.client;
  }

  nowMs(): Promise<number> {
    return this.#server.nowMs();
  }

  sleep(ms: number): Promise<void> {
    return this.#server.sleep(ms);
  }

  /**
   * @param options.only for a worker that takes only one kind of task
   * @returns a function that stops the worker; the environment stops it otherwise
   */
  async startWorker({ only, ...options }: Partial<WorkerOptions> & { only?: 'workflows' | 'activities' } = {}): Promise<
    () => Promise<void>
  > {
    const { taskQueue = TASK_QUEUE } = options;
    if (only !== 'workflows') await this.#startTriggers(taskQueue);
    const worker = await Worker.create({
      connection: this.#server.nativeConnection,
      taskQueue,
      activities: { ...this.#scripted.activities },
      // Runs workflow code in this thread: a separate one would load the SDK again, for a second of CPU time.
      debugMode: true,
      sinks: { metrics: { count: { fn: () => undefined }, observe: { fn: () => undefined } } },
      shutdownForceTime: SHUTDOWN_FORCE_TIME,
      ...(only === 'activities' ? {} : { workflowBundle: await workflowBundle() }),
      ...(only === 'workflows' ? { enableNonLocalActivities: false } : {}),
      ...options,
    });
    return this.#run(worker);
  }

  /** Starts the worker for triggers that the worker program also has. It stops with the environment. */
  async #startTriggers(taskQueue: string): Promise<void> {
    if (this.#triggersOf.has(taskQueue)) return;
    this.#triggersOf.add(taskQueue);
    const { triggerBuild } = this.#scripted.activities;
    const worker = await Worker.create({
      connection: this.#server.nativeConnection,
      taskQueue: triggersQueueOf(taskQueue),
      activities: { triggerBuild },
      shutdownForceTime: SHUTDOWN_FORCE_TIME,
    });
    this.#run(worker);
  }

  /** Starts a worker with a directory for {@link TASK_QUEUE}. It stops with the environment. */
  async startDirectory(): Promise<void> {
    const { checkDirectoryGroup, ensureDirectoryGroup } = this.#scripted.activities;
    const worker = await Worker.create({
      connection: this.#server.nativeConnection,
      taskQueue: directoryQueueOf(TASK_QUEUE),
      activities: { checkDirectoryGroup, ensureDirectoryGroup },
      shutdownForceTime: SHUTDOWN_FORCE_TIME,
    });
    this.#run(worker);
  }

  #run(worker: Worker): () => Promise<void> {
    const ran = worker.run();
    let stopped: Promise<void> | undefined;
    const stop = () => {
      if (stopped === undefined) worker.shutdown();
      return (stopped ??= ran);
    };
    this.#stopWorkers.push(stop);
    return stop;
  }

  /** Starts a build, and ends it with the test. */
  async start(t: TestContext, script: Script = {}, options: BuildOptions = {}): Promise<RunningBuild> {
    const input = inputWith(options.input);
    const workflowId = options.workflowId ?? workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
    const attempts = this.#scripted.follow(workflowId, script);
    const argument = 'rawInput' in options ? options.rawInput : input;
    const { runId } = await this.client.workflowService.startWorkflowExecution({
      namespace: 'default',
      requestId: randomUUID(),
      workflowId,
      workflowType: { name: ROLE_BUILD_WORKFLOW_TYPE },
      taskQueue: { name: options.taskQueue ?? TASK_QUEUE },
      input: {
        payloads: ('resumption' in options ? [argument, options.resumption] : [argument]).map((value) =>
          defaultPayloadConverter.toPayload(value),
        ),
      },
      ...(options.workflowTaskTimeoutMs === undefined
        ? {}
        : { workflowTaskTimeout: msToTs(options.workflowTaskTimeoutMs) }),
      ...options.request,
      ...(options.skipWaits ? { timeSkippingConfig: ALL_WAITS } : {}),
    });
    const handle = this.client.workflow.getHandle(workflowId);
    t.after(() => handle.terminate().catch(() => undefined));
    return new RunningBuild(handle, runId, input, attempts);
  }

  /** Sets {@link BuildOptions.skipWaits} for a running build. */
  async skipWaits({ handle }: RunningBuild): Promise<void> {
    await this.client.workflowService.updateWorkflowExecutionOptions({
      namespace: 'default',
      workflowExecution: { workflowId: handle.workflowId },
      workflowExecutionOptions: { timeSkippingConfig: ALL_WAITS },
      updateMask: { paths: ['time_skipping_config'] },
    });
  }

  /** Does as {@link start} for a workflow that something else starts. */
  follow(workflowId: string, script: Script): ReturnType<ScriptedActivities['follow']> {
    return this.#scripted.follow(workflowId, script);
  }

  async stop(): Promise<void> {
    try {
      await Promise.all(this.#stopWorkers.map((stop) => stop()));
    } finally {
      // Otherwise the test run would wait for the server forever.
      await this.#server.stop();
    }
  }
}

async function startTimeSkippingServer(): Promise<Server> {
  quietRuntime();
  const executable = { type: 'existing-path', path: await findTimeSkippingServer() } as const;
  const create = () => TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  // The SDK gives the server 5 s to start, which is too short on a busy machine.
  const environment = await create().catch(create).catch(create);
  // Without the search attributes, any server fails every workflow task that sets one.
  const types = Object.values(searchAttributes).map(({ name, type }) => [
    name,
    encodeSearchAttributeIndexedValueType(type) as temporal.api.enums.v1.IndexedValueType,
  ]);
  await environment.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(types),
  });
  return {
    client: environment.client,
    nativeConnection: environment.nativeConnection,
    nowMs: () => environment.currentTimeMs(),
    sleep: (ms) => environment.sleep(ms),
    stop: () => environment.teardown(),
  };
}

async function startDevServer(dynamicConfig: Record<string, number | boolean | string>): Promise<Server> {
  quietRuntime();
  const types = Object.values(searchAttributes).map(({ name, type }) => [name, type === 'BOOL' ? 'Bool' : 'Keyword']);
  const server = await startTemporalServer({
    uiPort: false,
    dynamicConfig: { ...PUNCTUAL, ...dynamicConfig },
    searchAttributes: Object.fromEntries(types) as Record<string, string>,
  });
  const connection = await Connection.connect({ address: server.address });
  const nativeConnection = await NativeConnection.connect({ address: server.address });
  return {
    client: new Client({ connection }),
    nativeConnection,
    nowMs: () => Promise.resolve(Date.now()),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    stop: async () => {
      await nativeConnection.close();
      await connection.close();
      await server.stop();
    },
  };
}
