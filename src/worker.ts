/** The worker program: reads the environment, wires things together, polls until it is told to stop. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import type { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/index.ts';
import { BuildApi } from './build-api/client.ts';
import { AllowedOrigins } from './build-api/origins.ts';
import { encryptionOf, readSettings, SettingsError, WORKER_SETTINGS, type SettingName } from './config.ts';
import { createDataConverter, keyInUse } from './encryption/data-converter.ts';
import { createLogger, TemporalPinoLogger } from './logger.ts';
import { keepCounting, type CountsOptions } from './operations/counts.ts';
import { startHealthServer } from './operations/health.ts';
import { metricsOptions, WorkerMetrics, withPort } from './operations/metrics.ts';
import { listenOrElse, type Address } from './operations/own-port.ts';
import { Readiness } from './operations/readiness.ts';
import { openRecordTables } from './records/dynamodb.ts';
import { reachTables } from './records/reachable.ts';
import type { RecordTables } from './records/write.ts';
import { onStopSignal } from './signals.ts';

const EXIT_BAD_SETTINGS = 2;

/** In this order: an activity's longest attempt (65 s) < grace < force < the platform's own limit (90 s). */
const SHUTDOWN = { grace: '70 seconds', force: '80 seconds' } as const;

/**
 * A build that waits for its next poll is kept in memory; past this many, the oldest are replayed at their next poll. A
 * cached build was measured at up to 0.3 MiB, which leaves at least a third of the heap to all else.
 */
const MAX_CACHED_WORKFLOWS = Math.floor((getHeapStatistics().heap_size_limit / 2 ** 20) * 2);
/** A poll can hold its place for as long as the build API takes to answer. */
const MAX_CONCURRENT_POLLS = 400;

const settings = readSettingsOrExit();
const logger = createLogger(settings.LOG_LEVEL);
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
  process.exitCode = 0;
} catch (err) {
  logger.fatal({ err }, 'worker ended');
  // Where no connection was made yet, the SDK's native half would keep the process running.
  process.exit(1);
}

async function run(): Promise<void> {
  await listenOrElse(settings.METRICS_ADDRESS, isSet('METRICS_ADDRESS'), installRuntime);
  const health = await listenOrElse(settings.HEALTH_ADDRESS, isSet('HEALTH_ADDRESS'), (address) =>
    startHealthServer(address, () => readiness.whyNot()),
  );
  logger.info({ host: health.host, port: health.port }, 'health listening');
  // Nothing is under way before the worker polls.
  const exit = () => process.exit(0);
  stopping.signal.addEventListener('abort', exit);
  const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const taskQueue = settings.ROLE_BUILD_TASK_QUEUE;
  const metrics = new WorkerMetrics(Runtime.instance().metricMeter, { namespace, task_queue: taskQueue });
  metrics.beginAtZero();
  const dataConverter = createDataConverter(encryptionOf(settings), namespace);
  // A key that can't be used is known before a build waits for it.
  const encryptionKey = await keyInUse(dataConverter);
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue,
      ...workflowSource(encryptionKey !== undefined),
      dataConverter,
      activities: { ...activitiesOn(tables, metrics) },
      sinks: metrics.sinks(),
      maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
      maxConcurrentLocalActivityExecutions: MAX_CONCURRENT_POLLS,
      ...versioning(),
      shutdownGraceTime: SHUTDOWN.grace,
      shutdownForceTime: SHUTDOWN.force,
    });
    stopping.signal.removeEventListener('abort', exit);
    stopping.signal.addEventListener('abort', () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    });
    const version = settings.TEMPORAL_WORKER_BUILD_ID ?? 'none';
    logger.info({ namespace, taskQueue, version, encryptionKey: encryptionKey ?? 'none' }, 'worker polling');
    readiness.watch(worker);
    void readiness.reach(
      () => reachTables(tables),
      (err) => logger.warn({ err }, 'the DynamoDB tables do not answer; not ready until they do'),
    );
    if (worker.client !== undefined) void keepCounting(countsOf(worker.client, taskQueue, metrics), stopping.signal);
    await worker.run();
  } finally {
    readiness.stop();
    await connection.close();
    health.close();
  }
}

/** @throws where the address of the metrics page is taken */
async function installRuntime(wanted: Address): Promise<void> {
  const address = await withPort(wanted);
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
    onFault: (err) => logger.warn({ err }, 'Temporal does not count builds; the gauges stay as they were'),
  };
}

function activitiesOn(tables: RecordTables, metrics: WorkerMetrics): ReturnType<typeof createActivities> {
  const allowedOrigins = new AllowedOrigins(settings.BUILD_API_ALLOWED_ORIGINS);
  return createActivities({
    tables,
    buildApi: new BuildApi({
      albFqdn: settings.API_ALB_FQDN,
      allowedOrigins,
      timeoutMs: settings.BUILD_API_TIMEOUT_SECONDS * 1000,
      idempotencyHeader: settings.BUILD_API_IDEMPOTENCY_HEADER,
      proxy: settings.BUILD_API_PROXY,
      onCall: (call) => metrics.buildApiCalled(call),
    }),
    allowedOrigins,
  });
}

/** A build stays on the version that it runs on, and moves to the current one when it continues as new. */
function versioning(): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  const { TEMPORAL_DEPLOYMENT_NAME: deploymentName, TEMPORAL_WORKER_BUILD_ID: buildId } = settings;
  if (deploymentName === undefined || buildId === undefined) return {};
  const version = { deploymentName, buildId };
  return { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' } };
}

/**
 * The bundle that `npm run build` puts beside this file; from a checkout, the sources. A bundle holds the converter of
 * the failures that a workflow ends with, so encryption has one of its own.
 */
function workflowSource(isEncrypting: boolean): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const bundle = isEncrypting ? './workflow-bundle.encrypting.js' : './workflow-bundle.js';
  const codePath = fileURLToPath(new URL(bundle, import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)) };
}

function readSettingsOrExit() {
  try {
    return readSettings(process.env, WORKER_SETTINGS);
  } catch (err) {
    if (!(err instanceof SettingsError)) throw err;
    process.stderr.write(`worker: ${err.message}\n`);
    process.exit(EXIT_BAD_SETTINGS);
  }
}

function isSet(name: SettingName): boolean {
  return Boolean(process.env[name]);
}
