/** Reads the environment, wires a worker together, polls until it is told to stop. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { forBuildsAlone } from './activities/callers.ts';
import { createActivities } from './activities/index.ts';
import { BuildApi } from './build-api/client.ts';
import { AllowedOrigins } from './build-api/origins.ts';
import { RateLimit } from './build-api/rate-limit.ts';
import { encryptionOf, readSettings, SettingsError, WORKER_SETTINGS } from './config.ts';
import { triggersQueueOf } from './contract.ts';
import { createDataConverter, keyInUse } from './encryption/data-converter.ts';
import { openLog, TemporalPinoLogger } from './logger.ts';
import { activityLogFields } from './operations/activity-log.ts';
import { keepCounting, type CountsOptions } from './operations/counts.ts';
import { startHealthServer } from './operations/health.ts';
import { metricsOptions, nativeAddress, WorkerMetrics } from './operations/metrics.ts';
import { Readiness } from './operations/readiness.ts';
import { openRecordTables } from './records/dynamodb.ts';
import { reachTables } from './records/reachable.ts';
import type { RecordTables } from './records/items.ts';
import type { HostPort } from './setting-values.ts';
import { onStopSignal } from './signals.ts';
import { checkSurroundings } from './surroundings.ts';
import { loadTemporalConfig } from './temporal-config.ts';
import { readTracing } from './tracing/settings.ts';
import type { WorkerTraces } from './tracing/worker.ts';
import { workflowCode } from './workflow-code.ts';

const EXIT_BAD_SETTINGS = 2;

/** In this order: an activity's longest attempt (65 s) < grace < force < the platform's own limit (90 s). */
const SHUTDOWN = { grace: '70 seconds', force: '80 seconds' } as const;

/**
 * A build that waits for its next poll is kept in memory; past this many, the oldest are replayed at their next poll. A
 * cached build was measured at up to 0.3 MiB of heap, which leaves at least a third of it to all else, and at 0.45 MiB of
 * the process: docs/sizing.md.
 */
const CACHED_BUILDS_BY_HEAP = Math.floor((getHeapStatistics().heap_size_limit / 2 ** 20) * 2);
/** A collector that does not answer holds up the end for so long. */
const LAST_SPANS_MS = 3_000;
/** A workflow task is renewed after 8 s, at the cost of three more events; a poll that waits its turn is to end before. */
const POLL_MAX_WAIT_MS = 5_000;
/**
 * Open polls for workflow tasks, as many as is the SDK's default. Pollers that scale by themselves keep fewer, and took a
 * tenth more of the CPU of worker and engine: docs/benchmarks.md.
 */
const WORKFLOW_TASK_POLLS = 10;
/**
 * The share of those that asks for builds which no worker keeps in memory: new ones, and a dead worker's. By the SDK's default,
 * 0.2, the last of a burst begin when the first have ended, and their waits find nothing else to do: docs/benchmarks.md.
 */
const NON_STICKY_POLLS = 0.7;

// Collects the old generation once it has grown by half, not by V8's default of up to four times: docs/benchmarks.md.
setFlagsFromString('--heap-growing-percent=50');

/**
 * Of Node.js's pool that small buffers are cut from. The SDK keeps what each build last answered to Temporal, a few KB, and
 * with it all of the piece that it was cut from: by default 64 KB.
 */
Buffer.poolSize = 8 * 2 ** 10;

const { settings, temporal } = readSettingsOrExit();
const { logger, settled } = await openLog(settings.LOG_LEVEL);
const readiness = new Readiness();
const stopping = new AbortController();
onStopSignal(
  (signal) => {
    readiness.stop();
    logger.info({ signal }, 'worker stopping: steps under way are let finish');
    stopping.abort();
  },
  (signal) => {
    logger.warn({ signal }, 'worker ended at once');
    process.exit(1);
  },
);

try {
  await run();
  logger.info('worker stopped');
  await settled();
  // What the exporter of spans goes on trying does not hold up the end.
  process.exit(0);
} catch (err) {
  logger.fatal({ err }, 'worker ended');
  await settled();
  // Where no connection was made yet, the SDK's native half would keep the process running.
  process.exit(1);
}

async function run(): Promise<void> {
  await listenAt('METRICS_ADDRESS', installRuntime);
  const health = await listenAt('HEALTH_ADDRESS', (address) => startHealthServer(address, () => readiness.whyNot()));
  logger.info({ host: health.host, port: health.port }, 'health listening');
  // Nothing is under way before the worker polls.
  const exit = () => process.exit(0);
  stopping.signal.addEventListener('abort', exit);
  const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
  const { connectionOptions, namespace = 'default' } = temporal;
  const taskQueue = settings.ROLE_BUILD_TASK_QUEUE;
  const metrics = new WorkerMetrics(Runtime.instance().metricMeter, { namespace, task_queue: taskQueue });
  metrics.beginAtZero();
  const dataConverter = createDataConverter(encryptionOf(settings), namespace);
  // A key that can't be used is known before a build waits for it.
  const encryptionKey = await keyInUse(dataConverter);
  const traces = await openTraces();
  const grpcCompression = { codec: settings.WORKER_GRPC_COMPRESSION };
  const connection = await NativeConnection.connect({ ...connectionOptions, grpcCompression });
  try {
    const activities = activitiesOn(tables, metrics, traces);
    const common: Omit<WorkerOptions, 'taskQueue'> = {
      connection,
      namespace,
      dataConverter,
      maxConcurrentActivityTaskExecutions: settings.WORKER_MAX_CONCURRENT_ACTIVITIES,
      ...versioning(),
      interceptors: { activity: [activityLogFields, ...(traces === undefined ? [] : [traces.activity])] },
      shutdownGraceTime: SHUTDOWN.grace,
      shutdownForceTime: SHUTDOWN.force,
    };
    const { code, workflowModules } = workflowSource(encryptionKey !== undefined, traces !== undefined);
    const builds = await Worker.create({
      ...common,
      taskQueue,
      ...code,
      interceptors: { ...common.interceptors, workflowModules },
      // triggerBuild too: a version before this one asked for it on this queue.
      activities: { ...activities },
      sinks: { ...metrics.sinks(), ...traces?.sinks },
      maxCachedWorkflows: settings.WORKER_MAX_CACHED_BUILDS ?? CACHED_BUILDS_BY_HEAP,
      maxConcurrentLocalActivityExecutions: settings.WORKER_MAX_CONCURRENT_POLLS,
      maxConcurrentWorkflowTaskPolls: WORKFLOW_TASK_POLLS,
      nonStickyToStickyPollRatio: NON_STICKY_POLLS,
    });
    const triggersPerSecond = settings.BUILD_API_MAX_TRIGGERS_PER_SECOND;
    const triggers = await Worker.create({
      ...common,
      taskQueue: triggersQueueOf(taskQueue),
      activities: { triggerBuild: activities.triggerBuild },
      ...(triggersPerSecond === undefined ? {} : { maxTaskQueueActivitiesPerSecond: triggersPerSecond }),
    });
    stopping.signal.removeEventListener('abort', exit);
    const version = settings.TEMPORAL_WORKER_BUILD_ID ?? 'none';
    logger.info({ namespace, taskQueue, version, encryptionKey: encryptionKey ?? 'none' }, 'worker polling');
    readiness.watch(builds, triggers);
    void readiness.reach(
      () => reachTables(tables),
      (err) => logger.warn({ err }, 'the DynamoDB tables could not be read; not ready until they can'),
    );
    if (builds.client !== undefined) void keepCounting(countsOf(builds.client, taskQueue, metrics), stopping.signal);
    await runUntilStopped([builds, triggers], stopping.signal);
  } finally {
    readiness.stop();
    await connection.close();
    await traces?.close(LAST_SPANS_MS);
    health.close();
  }
}

/** Where one ends by itself, the others are let finish what they are at. @throws what ended it */
async function runUntilStopped(workers: readonly Worker[], stop: AbortSignal): Promise<void> {
  const stopAll = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  stop.addEventListener('abort', stopAll);
  const ended = await Promise.allSettled(workers.map((worker) => worker.run().finally(stopAll)));
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** @throws where the address of the metrics page is taken */
async function installRuntime(wanted: HostPort): Promise<void> {
  const address = await nativeAddress(wanted);
  Runtime.install({
    logger: new TemporalPinoLogger(logger),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: 'INFO', other: 'WARN' }, forward: {} },
      metrics: metricsOptions(address),
    },
  });
  logger.info(address, 'metrics listening');
}

function countsOf(client: Client, taskQueue: string, metrics: WorkerMetrics): CountsOptions {
  return {
    client,
    taskQueue,
    setGauge: (name, value) => metrics.setGauge(name, value),
    onFault: (err) => logger.warn({ err }, 'builds could not be counted; the gauges stay as they were'),
  };
}

/** @returns `undefined` where there are none; nothing of OpenTelemetry is loaded then */
async function openTraces(): Promise<WorkerTraces | undefined> {
  const warn = (text: string) => logger.warn(text);
  const tracing = readTracing(process.env, warn);
  if (tracing === undefined) return undefined;
  const { traceWorker } = await import('./tracing/worker.ts');
  return traceWorker({
    tracing,
    warn,
    traceHeaders: settings.BUILD_API_TRACE_HEADERS,
    onFault: (reason) => logger.warn({ reason }, 'spans could not be sent'),
  });
}

function activitiesOn(
  tables: RecordTables,
  metrics: WorkerMetrics,
  traces: WorkerTraces | undefined,
): ReturnType<typeof createActivities> {
  const allowedOrigins = new AllowedOrigins(settings.BUILD_API_ALLOWED_ORIGINS);
  const pollsPerSecond = settings.BUILD_API_MAX_POLLS_PER_SECOND;
  const activities = createActivities({
    ...(pollsPerSecond === undefined ? {} : { pollRate: new RateLimit(pollsPerSecond, POLL_MAX_WAIT_MS) }),
    onPoll: (verdict) => metrics.polled(verdict),
    tables,
    buildApi: new BuildApi({
      albFqdn: settings.API_ALB_FQDN,
      allowedOrigins,
      timeoutMs: settings.BUILD_API_TIMEOUT_SECONDS * 1000,
      idempotencyHeader: settings.BUILD_API_IDEMPOTENCY_HEADER,
      proxy: settings.BUILD_API_PROXY,
      onCall: (call) => metrics.buildApiCalled(call),
      ...(traces === undefined ? {} : { traceCall: traces.traceCall }),
    }),
    allowedOrigins,
  });
  return forBuildsAlone(activities);
}

/** A build stays on the version that it runs on, and moves to the current one when it continues as new. */
function versioning(): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  const { TEMPORAL_DEPLOYMENT_NAME: deploymentName, TEMPORAL_WORKER_BUILD_ID: buildId } = settings;
  if (deploymentName === undefined || buildId === undefined) return {};
  const version = { deploymentName, buildId };
  return { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' } };
}

/** The bundle that `npm run build` puts beside this file; from a checkout, the sources. */
function workflowSource(
  isEncrypting: boolean,
  hasTraces: boolean,
): { code: Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'>; workflowModules: string[] } {
  const { bundle, workflowsPath, preloadModules, workflowInterceptorModules } = workflowCode({
    encrypting: isEncrypting,
    traced: hasTraces,
  });
  const codePath = fileURLToPath(new URL(bundle, import.meta.url));
  if (existsSync(codePath)) return { code: { workflowBundle: { codePath } }, workflowModules: [] };
  return { code: { workflowsPath, bundlerOptions: { preloadModules } }, workflowModules: workflowInterceptorModules };
}

function readSettingsOrExit() {
  try {
    checkSurroundings(process.env, (warning) => process.stderr.write(`worker: ${warning}\n`));
    return { settings: readSettings(process.env, WORKER_SETTINGS), temporal: loadTemporalConfig(process.env) };
  } catch (err) {
    if (!(err instanceof SettingsError)) throw err;
    process.stderr.write(`worker: ${err.message}\n`);
    process.exit(EXIT_BAD_SETTINGS);
  }
}

/** @throws Error naming the setting if its address can't be listened on */
async function listenAt<T>(
  name: 'METRICS_ADDRESS' | 'HEALTH_ADDRESS',
  listen: (address: HostPort) => Promise<T> | T,
): Promise<T> {
  const address = settings[name];
  try {
    return await listen(address);
  } catch (err) {
    const { host, port } = address;
    const hint = `set ${name} to a free port, or to port 0 for any`;
    throw new Error(`${name}: can't listen on ${host}, port ${port}: ${(err as Error).message}; ${hint}`, {
      cause: err,
    });
  }
}
