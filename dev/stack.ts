/**
 * Starts a whole local stack: Temporal, DynamoDB and the simulated build API, set up, with workers and the command line
 * as processes. `npm run dev`, `npm run demo` and the end-to-end tests use it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { authorityOf, type HostPort } from '../src/process/listen.ts';
import { startChild, type Child } from './servers/child.ts';
import { startDynamoDb, type DynamoDb } from './servers/dynamodb.ts';
import { startTemporalServer, type TemporalServer, type TemporalServerOptions } from './servers/temporal-server.ts';
import { createSimulatedBuildApi } from './simulated-build-api/server.ts';

const SOURCES: Programs = {
  worker: fileURLToPath(new URL('../src/worker.ts', import.meta.url)),
  client: fileURLToPath(new URL('../src/client.ts', import.meta.url)),
};
const PSEUDO_TERMINAL = fileURLToPath(new URL('pseudo_terminal.py', import.meta.url));
const WORKER_READY_MS = 180_000;
/** Longer than a worker's shutdown gives its activities to finish. */
const WORKER_STOP_MS = 85_000;

export interface Programs {
  worker: string;
  client: string;
}

export interface StackOptions {
  /** Options of a server for this stack alone, or a function that provides one. */
  temporal?: TemporalServerOptions | (() => Promise<TemporalServer>);
  dynamoDbPort?: number;
  buildApiPort?: number;
  /** Further settings of workers and of the command line. */
  settings?: Record<string, string>;
  /** By default the sources in `src`. */
  programs?: Programs;
  /** Runs a command of `cli` without starting a process. @returns `undefined` if it can't */
  runCli?: (
    args: readonly string[],
    env: Record<string, string>,
    options: CliOptions,
  ) => Promise<CliResult> | undefined;
}

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  result: Promise<CliResult>;
}

export interface Stack {
  temporal: TemporalServer;
  dynamoDb: DynamoDb;
  buildApi: ReturnType<typeof createSimulatedBuildApi>;
  buildApiUrl: string;
  /** The settings with which a worker or the command line uses this stack. */
  settings: Record<string, string>;
  /** Starts a worker; resolves once it polls. @throws with its output if it ends instead */
  startWorker(options?: WorkerOptions): Promise<StackWorker>;
  /** Runs a command and waits for its end. */
  cli(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** Starts a command and does not wait for its end. */
  startCli(args: readonly string[], options?: CliOptions): RunningCli;
  /** Stops the workers first, then the servers that they use. */
  stop(): Promise<void>;
}

export interface StackWorker extends Child {
  /** The base URL of `/livez` and `/readyz`; empty if another program than ours runs. */
  healthUrl: string;
  /** The base URL of `/metrics`; empty if another program than ours runs. */
  metricsUrl: string;
}

export interface WorkerOptions {
  settings?: Record<string, string>;
  onOutput?: (chunk: string) => void;
  /** Called once the process has started, before it polls. */
  onStart?: (worker: Child) => void;
  /** Another worker program; it must print `"state":"RUNNING"` once it polls. */
  program?: string;
}

export interface CliOptions {
  settings?: Record<string, string>;
  /** The whole input, or a stream that is written while the command runs. */
  stdin?: string | Readable;
  onStderr?: (chunk: string) => void;
  /** Another program than the one in `src`. */
  program?: string;
  /** Runs the command in a pseudo-terminal of that size: `stdout` then has all output, and `stdin` is not read. */
  terminal?: { columns: number; rows: number };
  onStdout?: (chunk: string) => void;
}

/** Starts a stack on loopback, on free ports unless `options` has others, with tables and search attributes. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { programs = SOURCES } = options;
  const started: { stop(): Promise<void> }[] = [];
  const workers: Child[] = [];
  const stop = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.all(started.map((server) => server.stop()));
  };
  const keep = <T extends { stop(): Promise<void> }>(server: T): T => {
    started.push(server);
    return server;
  };
  try {
    const buildApi = createSimulatedBuildApi();
    const [temporal, dynamoDb, buildApiUrl] = await allOrThrow([
      (typeof options.temporal === 'function' ? options.temporal() : startTemporalServer(options.temporal)).then(keep),
      startDynamoDb(options.dynamoDbPort === undefined ? {} : { port: options.dynamoDbPort }).then(keep),
      buildApi.listen(options.buildApiPort ?? 0, '127.0.0.1').then((url) => {
        keep({ stop: () => buildApi.close() });
        return url;
      }),
    ]);
    const settings = { ...settingsOf(temporal, dynamoDb.endpoint, buildApiUrl), ...options.settings };
    const stack: Stack = {
      temporal,
      dynamoDb,
      buildApi,
      buildApiUrl,
      settings,
      startWorker: async (workerOptions = {}) => {
        const worker = await startWorker(
          { ...settings, ...workerOptions.settings },
          { program: programs.worker, ...workerOptions },
        );
        workers.push(worker);
        return worker;
      },
      startCli: (args, cliOptions = {}) =>
        startCli(args, { ...settings, ...cliOptions.settings }, { program: programs.client, ...cliOptions }),
      cli: async (args, cliOptions = {}) => {
        const env = environmentOf({ ...settings, ...cliOptions.settings });
        return options.runCli?.(args, env, cliOptions) ?? stack.startCli(args, cliOptions).result;
      },
      stop,
    };
    const setup = await stack.cli(['setup']);
    if (setup.code !== 0) throw new Error(`setup failed:\n${setup.stderr}`);
    return stack;
  } catch (err) {
    await stop();
    throw err;
  }
}

function settingsOf(
  { address, namespace, uiUrl }: TemporalServer,
  dynamoDbEndpoint: string,
  buildApiUrl: string,
): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: address,
    ...(namespace === 'default' ? {} : { TEMPORAL_NAMESPACE: namespace }),
    ...(uiUrl === undefined ? {} : { TEMPORAL_UI_URL: uiUrl }),
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDbEndpoint,
    // DynamoDB's stand-ins accept any credentials, but the AWS SDK refuses to run without any.
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    API_ALB_FQDN: 'https://alb.example.com',
    BUILD_API_ALLOWED_ORIGINS: buildApiUrl,
    HEALTH_ADDRESS: '127.0.0.1:0',
    METRICS_ADDRESS: '127.0.0.1:0',
  };
}

/** Returns the settings and what any process needs, but none of the user's own, such as an AWS profile. */
export function environmentOf(settings: Record<string, string>): Record<string, string> {
  const inherited = [
    'PATH',
    'HOME',
    'USER',
    'LANG',
    'TMPDIR',
    'SystemRoot',
    'NODE_COMPILE_CACHE',
    'NODE_V8_COVERAGE',
    'NODE_EXTRA_CA_CERTS',
  ];
  const present = inherited.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(present), ...settings };
}

async function startWorker(settings: Record<string, string>, options: WorkerOptions): Promise<StackWorker> {
  const { program = SOURCES.worker, onOutput } = options;
  const worker = await startChild(process.execPath, [program], {
    env: environmentOf(settings),
    stopTimeoutMs: WORKER_STOP_MS,
    ...(onOutput === undefined ? {} : { onOutput }),
  });
  options.onStart?.(worker);
  const giveUpAt = performance.now() + WORKER_READY_MS;
  while (!worker.output().includes('"state":"RUNNING"')) {
    if (worker.hasExited() || performance.now() > giveUpAt) {
      await worker.kill();
      const code = await worker.exited;
      throw new Error(`the worker did not start (exit code ${code}):\n${worker.output()}`);
    }
    await delay(20);
  }
  const output = worker.output();
  return { ...worker, healthUrl: urlIn(output, 'health listening'), metricsUrl: urlIn(output, 'metrics listening') };
}

/** Returns the URL of the address in a worker's log line. */
function urlIn(output: string, message: string): string {
  const line = output.split('\n').find((one) => one.includes(`"msg":"${message}"`));
  if (line === undefined) return '';
  return `http://${authorityOf(JSON.parse(line) as HostPort)}`;
}

/** Starts the command line with these settings and none of the user's. */
export function startCli(
  args: readonly string[],
  settings: Record<string, string>,
  options: CliOptions = {},
): RunningCli {
  const { terminal, program = SOURCES.client } = options;
  const [command, ...before] =
    terminal === undefined
      ? [process.execPath, program]
      : ['python3', PSEUDO_TERMINAL, `${terminal.columns}`, `${terminal.rows}`, process.execPath, program];
  const env = environmentOf({ ...(terminal === undefined ? {} : { TERM: 'xterm-256color' }), ...settings });
  const child = spawn(command, [...before, ...args], { env, stdio: 'pipe' });
  child.stdin.on('error', () => {
    // A command that does not read its input may end before it is written.
  });
  if (options.stdin instanceof Readable) options.stdin.pipe(child.stdin);
  // In a pseudo-terminal, stdin carries the requests to send signals.
  else if (terminal === undefined) child.stdin.end(options.stdin ?? '');
  if (options.onStdout !== undefined) child.stdout.setEncoding('utf8').on('data', options.onStdout);
  if (options.onStderr !== undefined) child.stderr.setEncoding('utf8').on('data', options.onStderr);
  const ended = once(child, 'close') as Promise<[number | null]>;
  const result = Promise.all([text(child.stdout), text(child.stderr), ended]).then(([stdout, stderr, [code]]) => ({
    code,
    stdout,
    stderr,
  }));
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void (terminal === undefined ? child.kill(signal) : child.stdin.write(`kill ${signal}\n`)),
    result,
  };
}

/** Like Promise.all, but waits until all have settled, so that the caller knows what has started when one fails. */
async function allOrThrow<T extends readonly unknown[]>(promises: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const settled = await Promise.allSettled(promises);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
