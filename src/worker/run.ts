/** Sets a worker up and polls until it is stopped. */
import { addAbortListener, once } from 'node:events';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { forBuildsAlone } from '../activities/callers.ts';
import { createActivities } from '../activities/index.ts';
import { BuildApi } from '../build-api/client.ts';
import { RateLimit } from '../build-api/rate-limit.ts';
import { encryptionOf, type readSettings, type WORKER_SETTINGS } from '../config/settings.ts';
import { createDirectoryActivities } from '../activities/directory.ts';
import { hasDirectory } from '../config/directory.ts';
import { directoryQueueOf, triggersQueueOf } from '../contract.ts';
import type { Directory } from '../directory/directory.ts';
import { defined } from '../domain/defined.ts';
import { createDataConverter, keyInUse } from '../encryption/data-converter.ts';
import { activityLogFields } from './activity-log.ts';
import { keepCounting } from './counts.ts';
import { startHealthServer } from './health.ts';
import { metricsOptions, nativeAddress, WorkerMetrics } from './metrics.ts';
import { Readiness } from './readiness.ts';
import { openRecordTables, reachTables } from '../records/dynamodb.ts';
import type { RecordTables } from '../records/items.ts';
import type { HostPort } from '../process/listen.ts';
import type { loadTemporalConfig } from '../config/temporal.ts';
import type { Tracing } from '../config/tracing.ts';
import type { WorkerTraces } from '../tracing/worker.ts';
import { workflowBundle } from './bundle.ts';
import { temporalLogger } from './temporal-logger.ts';

/** These must stay in order: an activity's longest attempt (65 s) < grace < force < the platform's own limit (90 s). */
const SHUTDOWN = { grace: '70 seconds', force: '80 seconds' } as const;

/**
 * A build that waits for its next poll stays in the cache. Beyond this number, the oldest are evicted and replayed at
 * their next poll. Measured, a cached build takes up to 0.3 MiB of heap, which leaves at least a third of the heap for
 * the rest, and 0.45 MiB of the process: bench/README.md.
 */
const CACHED_BUILDS_BY_HEAP = Math.floor((getHeapStatistics().heap_size_limit / 2 ** 20) * 2);
/** How long the worker waits at its end for a collector that does not answer. */
const LAST_SPANS_MS = 3_000;
/** How long a worker that has failed may take to end. The SDK's own clean-up can wait for ever then. */
const FAILED_WITHIN_MS = 5_000;
/** How long a poll may wait for its turn. After 8 s the SDK renews the workflow task, which costs three more events. */
const POLL_MAX_WAIT_MS = 5_000;
/**
 * Open polls for workflow tasks; the SDK's default. Pollers that scale automatically keep fewer open, and took a tenth
 * more CPU of worker and engine: bench/README.md.
 */
const WORKFLOW_TASK_POLLS = 10;
/**
 * The share of polls that ask for builds that no worker has cached: new ones, and a dead worker's. With the default,
 * 0.2, the last builds of a burst start only when the first have ended, so their waits don't overlap.
 */
const NON_STICKY_POLLS = 0.7;

type Settings = ReturnType<typeof readSettings<(typeof WORKER_SETTINGS)[number]>>;

export interface WorkerProgram {
  settings: Settings;
  temporal: ReturnType<typeof loadTemporalConfig>;
  /** `undefined` by default; then nothing of OpenTelemetry is loaded. */
  tracing: Tracing | undefined;
  logger: Logger;
  /** When it aborts, the worker drains: running activities finish. */
  stop: AbortSignal;
}

/**
 * Runs a worker until it is stopped. Temporal's SDK has one runtime per process, which ends with its last worker:
 * another worker can run later in the same process, but not at the same time.
 *
 * @throws the error that ended the worker
 */
export async function runWorker(program: WorkerProgram): Promise<void> {
  const { settings, logger, stop } = program;
  tuneMemory();
  const readiness = new Readiness();
  addAbortListener(stop, () => readiness.stop());
  const failures: unknown[] = [];
  await listenAt(settings, 'METRICS_ADDRESS', (address) =>
    installRuntime(address, logger, (err) => failures.push(err)),
  );
  const health = await listenAt(settings, 'HEALTH_ADDRESS', (address) =>
    startHealthServer(address, () => readiness.whyNot()),
  );
  logger.info({ host: health.host, port: health.port }, 'health listening');
  try {
    // The worker has not polled yet, so it has nothing to drain.
    if (stop.aborted) return;
    const workers = await Promise.race([connect(program, readiness), once(stop, 'abort').then(() => undefined)]);
    if (workers === undefined) return;
    try {
      await runUntilStopped(workers.all, stop);
    } catch (err) {
      // A worker that has failed can still hold the connection.
      await workers.close().catch(() => undefined);
      throw failures[0] ?? err;
    } finally {
      readiness.stop();
    }
    await workers.close();
  } finally {
    health.close();
  }
}

/** @returns workers that are about to poll, and a function that closes their connection */
async function connect({ settings, temporal, tracing, logger, stop }: WorkerProgram, readiness: Readiness) {
  const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
  const { connectionOptions, namespace = 'default' } = temporal;
  const taskQueue = settings.ROLE_BUILD_TASK_QUEUE;
  const metrics = new WorkerMetrics(Runtime.instance().metricMeter, { namespace, task_queue: taskQueue });
  metrics.beginAtZero();
  const dataConverter = createDataConverter(encryptionOf(settings), namespace);
  // Fails now if a key can't be used, and not when a build already waits for it.
  const encryptionKey = await keyInUse(dataConverter);
  const traces = tracing && (await openTraces(tracing, settings, logger));
  const grpcCompression = { codec: settings.WORKER_GRPC_COMPRESSION };
  const connection = await NativeConnection.connect({ ...connectionOptions, grpcCompression });
  const close = async () => {
    await connection.close();
    await traces?.close(LAST_SPANS_MS);
  };
  try {
    const activities = activitiesOn(settings, tables, metrics, traces);
    const common: Omit<WorkerOptions, 'taskQueue'> = {
      connection,
      namespace,
      dataConverter,
      maxConcurrentActivityTaskExecutions: settings.WORKER_MAX_CONCURRENT_ACTIVITIES,
      ...versioning(settings),
      interceptors: { activity: [activityLogFields, ...(traces === undefined ? [] : [traces.activity])] },
      shutdownGraceTime: SHUTDOWN.grace,
      shutdownForceTime: SHUTDOWN.force,
    };
    const options = { encryptsFailures: encryptionKey !== undefined, traced: traces !== undefined };
    const builds = await Worker.create({
      ...common,
      taskQueue,
      workflowBundle: await workflowBundle(options, Runtime.instance().logger),
      // Includes triggerBuild, because an earlier version scheduled it on this queue.
      activities: { ...activities },
      sinks: { ...metrics.sinks(), ...traces?.sinks },
      maxCachedWorkflows: settings.WORKER_MAX_CACHED_BUILDS ?? CACHED_BUILDS_BY_HEAP,
      maxConcurrentLocalActivityExecutions: settings.WORKER_MAX_CONCURRENT_POLLS,
      maxConcurrentWorkflowTaskPolls: WORKFLOW_TASK_POLLS,
      nonStickyToStickyPollRatio: NON_STICKY_POLLS,
    });
    const triggers = await Worker.create({
      ...common,
      taskQueue: triggersQueueOf(taskQueue),
      activities: { triggerBuild: activities.triggerBuild },
      ...defined({ maxTaskQueueActivitiesPerSecond: settings.BUILD_API_MAX_TRIGGERS_PER_SECOND }),
    });
    const all = [builds, triggers];
    const directory = await openDirectory(settings);
    if (directory !== undefined) {
      const groups = await Worker.create({
        ...common,
        taskQueue: directoryQueueOf(taskQueue),
        activities: forBuildsAlone(createDirectoryActivities(directory)),
        // More would only wait for each other's binds.
        maxConcurrentActivityTaskExecutions: 10,
      });
      all.push(groups);
      const show = () => metrics.setGauge('role_build_directory_password_refused', directory.whyNot() ? 1 : 0);
      const showing = setInterval(show, 2_000);
      addAbortListener(stop, () => clearInterval(showing));
      showing.unref();
    }
    const version = settings.TEMPORAL_WORKER_BUILD_ID ?? 'none';
    readiness.watch(all, () => directory?.whyNot());
    void readiness.reach(
      () => reachTables(tables),
      (err) => logger.warn({ err }, 'the DynamoDB tables could not be read; not ready until they can'),
    );
    await readiness.mayPoll();
    logger.info({ namespace, taskQueue, version, encryptionKey: encryptionKey ?? 'none' }, 'worker polling');
    if (builds.client !== undefined) void keepCounting(builds.client, taskQueue, metrics, logger, stop);
    return { all, close };
  } catch (err) {
    await close();
    throw err;
  }
}

/** Changes settings of the whole process. */
function tuneMemory(): void {
  // Collects the old generation when it has grown by half; by default V8 lets it grow up to fourfold: bench/README.md.
  setFlagsFromString('--heap-growing-percent=50');
  // Node.js cuts small buffers from pieces of this size. The SDK keeps each build's last answer to Temporal, a few KB,
  // and so the whole piece that it was cut from. The default is 64 KB.
  Buffer.poolSize = 8 * 2 ** 10;
}

type Runs = Pick<Worker, 'getState' | 'options' | 'run' | 'shutdown'>;

/** Runs until all workers have ended. If one fails or ends, the others drain. @throws the error that ended it */
export async function runUntilStopped(workers: readonly Runs[], stop: AbortSignal): Promise<void> {
  const stopAll = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const running = workers.map((worker) => runOrFail(worker).finally(stopAll));
  addAbortListener(stop, stopAll);
  const ended = await Promise.allSettled(running);
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Runs a worker. @throws the error that ended it, even if the SDK does not end a worker that has failed */
async function runOrFail(worker: Runs): Promise<void> {
  const failed = Promise.withResolvers<never>();
  const error = new Error(`the worker of the task queue ${worker.options.taskQueue} has failed`);
  let timeout: NodeJS.Timeout | undefined;
  const watch = setInterval(() => {
    if (worker.getState() === 'FAILED') timeout ??= setTimeout(() => failed.reject(error), FAILED_WITHIN_MS);
  }, 1_000);
  try {
    await Promise.race([worker.run(), failed.promise]);
  } finally {
    clearInterval(watch);
    clearTimeout(timeout);
  }
}

/** @throws if the address of the metrics page can't be listened on */
async function installRuntime(wanted: HostPort, logger: Logger, onFailed: (err: unknown) => void): Promise<void> {
  const address = await nativeAddress(wanted);
  Runtime.install({
    logger: temporalLogger(logger, onFailed),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: 'INFO', other: 'WARN' }, forward: {} },
      metrics: metricsOptions(address),
    },
  });
  logger.info(address, 'metrics listening');
}

/** Loads no LDAP code if this worker has no directory. */
async function openDirectory(settings: Settings): Promise<Directory | undefined> {
  if (!hasDirectory(settings)) return undefined;
  const { Directory } = await import('../directory/directory.ts');
  return new Directory(settings);
}

async function openTraces(tracing: Tracing, settings: Settings, logger: Logger): Promise<WorkerTraces> {
  const { traceWorker } = await import('../tracing/worker.ts');
  return traceWorker({
    tracing,
    warn: (text) => logger.warn(text),
    traceHeaders: settings.BUILD_API_TRACE_HEADERS,
    onFault: (reason) => logger.warn({ reason }, 'spans could not be sent'),
  });
}

function activitiesOn(
  settings: Settings,
  tables: RecordTables,
  metrics: WorkerMetrics,
  traces: WorkerTraces | undefined,
) {
  const allowedOrigins = settings.BUILD_API_ALLOWED_ORIGINS;
  const pollsPerSecond = settings.BUILD_API_MAX_POLLS_PER_SECOND;
  const activities = createActivities({
    pollRate: pollsPerSecond === undefined ? undefined : new RateLimit(pollsPerSecond, POLL_MAX_WAIT_MS),
    onPoll: (verdict) => metrics.polled(verdict),
    tables,
    buildApi: new BuildApi({
      albFqdn: settings.API_ALB_FQDN,
      allowedOrigins,
      timeoutMs: settings.BUILD_API_TIMEOUT_SECONDS * 1000,
      idempotencyHeader: settings.BUILD_API_IDEMPOTENCY_HEADER,
      proxy: settings.BUILD_API_PROXY,
      onCall: (call) => metrics.buildApiCalled(call),
      traceCall: traces?.traceCall,
    }),
    allowedOrigins,
  });
  return forBuildsAlone(activities);
}

/** A build stays on its worker version, and moves to the current one when it continues as new. */
function versioning({
  TEMPORAL_DEPLOYMENT_NAME: deploymentName,
  TEMPORAL_WORKER_BUILD_ID: buildId,
}: Settings): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (deploymentName === undefined || buildId === undefined) return {};
  const version = { deploymentName, buildId };
  return { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' } };
}

/** @throws Error naming the setting if its address can't be listened on */
async function listenAt<T>(
  settings: Settings,
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
