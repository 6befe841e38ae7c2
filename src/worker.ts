/** The worker program: reads the environment, wires things together, polls until it is told to stop. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/index.ts';
import { BuildApi } from './build-api/client.ts';
import { AllowedOrigins } from './build-api/origins.ts';
import { encryptionOf, readSettings, SettingsError, WORKER_SETTINGS } from './config.ts';
import { createDataConverter, keyInUse } from './encryption/data-converter.ts';
import { createLogger, TemporalPinoLogger } from './logger.ts';
import { openRecordTables } from './records/dynamodb.ts';
import { onStopSignal } from './signals.ts';
import { preloadedModules, workflowsPath } from './workflow-code.ts';

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
Runtime.install({
  logger: new TemporalPinoLogger(logger),
  shutdownSignals: [],
  telemetryOptions: { logging: { filter: { core: 'INFO', other: 'WARN' }, forward: {} } },
});

try {
  await run();
  process.exitCode = 0;
} catch (err) {
  logger.fatal({ err }, 'worker ended');
  // Where no connection was made yet, the SDK's native half would keep the process running.
  process.exit(1);
}

async function run(): Promise<void> {
  const allowedOrigins = new AllowedOrigins(settings.BUILD_API_ALLOWED_ORIGINS);
  const activities = createActivities({
    tables: openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE }),
    buildApi: new BuildApi({
      albFqdn: settings.API_ALB_FQDN,
      allowedOrigins,
      timeoutMs: settings.BUILD_API_TIMEOUT_SECONDS * 1000,
      idempotencyHeader: settings.BUILD_API_IDEMPOTENCY_HEADER,
      proxy: settings.BUILD_API_PROXY,
    }),
    allowedOrigins,
  });

  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const dataConverter = createDataConverter(encryptionOf(settings), namespace);
  // A key that can't be used is known before a build waits for it.
  const encryptionKey = await keyInUse(dataConverter);
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: settings.ROLE_BUILD_TASK_QUEUE,
      ...workflowSource(encryptionKey !== undefined),
      dataConverter,
      activities: { ...activities },
      maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
      maxConcurrentLocalActivityExecutions: MAX_CONCURRENT_POLLS,
      shutdownGraceTime: SHUTDOWN.grace,
      shutdownForceTime: SHUTDOWN.force,
    });
    onStopSignal(
      (signal) => {
        logger.info({ signal }, 'worker stopping: steps under way are let finish');
        worker.shutdown();
      },
      (signal) => {
        logger.warn({ signal }, 'worker ended at once');
        process.exit(1);
      },
    );
    logger.info(
      { namespace, taskQueue: settings.ROLE_BUILD_TASK_QUEUE, encryptionKey: encryptionKey ?? 'none' },
      'worker polling',
    );
    await worker.run();
    logger.info('worker stopped');
  } finally {
    await connection.close();
  }
}

/**
 * The bundle that `npm run build` puts beside this file; from a checkout, the sources. A bundle holds the converter of
 * the failures that a workflow ends with, so encryption has one of its own.
 */
function workflowSource(
  isEncrypting: boolean,
): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'> {
  const bundle = isEncrypting ? './workflow-bundle.encrypting.js' : './workflow-bundle.js';
  const codePath = fileURLToPath(new URL(bundle, import.meta.url));
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return { workflowsPath, bundlerOptions: { preloadModules: preloadedModules(isEncrypting) } };
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
