import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { startChild, type Child } from './child.ts';
import { freePort, isPortFree } from './ports.ts';
import { findTemporalCli } from './temporal-binaries.ts';

/** Far longer than a start takes on a busy machine. */
const START_TIMEOUT_MS = 120_000;
/** Longer than a clean stop takes on a busy machine. */
const STOP_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
const POLL_MS = 25;
const ATTEMPTS = 3;
const SHOWN_OUTPUT_CHARS = 4_000;

const DYNAMIC_CONFIG = {
  // The default is four partitions; one takes less of the dev server's CPU and is enough for our task queues.
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  // Polls of the timer queue a second by a history shard. The dev server has one shard and reads one second ahead, so
  // with the default of 20, some of several hundred one-second timers fire seconds late.
  'history.timerProcessorMaxPollRPS': 200,
};

export interface TemporalServerOptions {
  /** The gRPC port; by default a free one. */
  port?: number;
  /** The Web UI's port; by default a free one; `false` for no Web UI. */
  uiPort?: number | false;
  /** The codec server that the Web UI's pages call. */
  uiCodecEndpoint?: string;
  /** The file of the server's state; by default it is in memory. */
  dbFile?: string;
  /** Added to `DYNAMIC_CONFIG`, which it overrides. */
  dynamicConfig?: Record<string, string | number | boolean>;
  /** Types by name: `{ AccountId: 'Keyword' }`. */
  searchAttributes?: Record<string, string>;
  /** By default `default`. */
  namespace?: string;
  /** A file to append the server's output to. */
  log?: string;
}

export interface TemporalServer {
  /** `127.0.0.1:PORT` */
  address: string;
  namespace: string;
  uiUrl: string | undefined;
  pid: number;
  /** Sends SIGTERM, then SIGKILL after 60 s. */
  stop(): Promise<void>;
  /** Sends SIGKILL, as if the server crashed. */
  kill(): Promise<void>;
  /** The exit code, or null if a signal ended it. */
  exited: Promise<number | null>;
}

/**
 * Starts Temporal's dev server on loopback; resolves once it answers.
 *
 * @throws if a given port is taken; with the server's output if it ends or does not answer within two minutes
 */
export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const executable = await findTemporalCli();
  const asked = [options.port, options.uiPort].filter((port) => typeof port === 'number');
  for (const port of asked) {
    // Otherwise another server on the port could answer for ours, which is about to end because the port is taken.
    if (!(await isPortFree(port))) throw new Error(`port ${port} of 127.0.0.1 is taken`);
  }
  const attempts = asked.length === 0 ? ATTEMPTS : 1;
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(executable, options);
    } catch (error) {
      // The dev server crashes at start if one of its internal services gets a port that it was told to use.
      if (!(error instanceof EarlyExit) || attempt >= attempts) throw error;
    }
  }
}

class EarlyExit extends Error {}

async function start(executable: string, options: TemporalServerOptions): Promise<TemporalServer> {
  const port = options.port ?? (await freePort());
  const uiPort = options.uiPort ?? (await otherFreePort(port));
  const namespace = options.namespace ?? 'default';
  const args = serverArguments(port, uiPort, namespace, options);
  const child = await startChild(executable, args, {
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  const address = `127.0.0.1:${port}`;
  try {
    await untilReady(child, port, namespace);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    address,
    namespace,
    uiUrl: uiPort === false ? undefined : `http://127.0.0.1:${uiPort}`,
    pid: child.pid,
    stop: child.stop,
    kill: child.kill,
    exited: child.exited,
  };
}

function serverArguments(
  port: number,
  uiPort: number | false,
  namespace: string,
  { dbFile, dynamicConfig, searchAttributes = {}, uiCodecEndpoint }: TemporalServerOptions,
): string[] {
  return [
    ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--namespace', namespace],
    ['--log-level', 'error'],
    uiPort === false ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)],
    uiCodecEndpoint === undefined ? [] : ['--ui-codec-endpoint', uiCodecEndpoint],
    dbFile === undefined ? [] : ['--db-filename', dbFile],
    Object.entries({ ...DYNAMIC_CONFIG, ...dynamicConfig }).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
    Object.entries(searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ].flat();
}

async function untilReady(child: Child, port: number, namespace: string): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  let lastError: unknown;
  for (;;) {
    try {
      await answers(port, namespace);
      if (!child.hasExited()) return;
    } catch (error) {
      lastError = error;
    }
    if (child.hasExited()) {
      throw new EarlyExit(`Temporal's dev server ended at start (exit code ${await child.exited})${shown(child)}`);
    }
    if (performance.now() > giveUpAt) {
      const message = `Temporal's dev server did not answer within ${START_TIMEOUT_MS / 1_000} s${shown(child)}`;
      throw new Error(message, { cause: lastError });
    }
    await delay(POLL_MS);
  }
}

async function answers(port: number, namespace: string): Promise<void> {
  // Plain TCP first: after a refused connection, a gRPC channel waits one second before it tries again.
  await acceptsConnections(port);
  const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: CALL_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}

function acceptsConnections(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => socket.end(resolve));
    socket.once('error', reject);
  });
}

async function otherFreePort(port: number): Promise<number> {
  for (;;) {
    const other = await freePort();
    if (other !== port) return other;
  }
}

/** Shortens the output: a Go crash has its cause at the start, a log at the end. */
function shown(child: Child): string {
  const output = child.output().trim();
  if (output === '') return '';
  if (output.length <= SHOWN_OUTPUT_CHARS) return `:\n${output}`;
  const half = SHOWN_OUTPUT_CHARS / 2;
  return `:\n${output.slice(0, half)}\n…\n${output.slice(-half)}`;
}
