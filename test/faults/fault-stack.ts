/** A stack whose parts can be killed, stopped and restarted, and which records that. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../../dev/servers/child.ts';
import { freePort } from '../../dev/servers/ports.ts';
import { startTemporalServer, type TemporalServerOptions } from '../../dev/servers/temporal-server.ts';
import type { RunningCli, StackOptions } from '../../dev/stack.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import { parseJson, startTestStack, type TestStack } from '../support/stack.ts';
import { violationsOf } from './invariants.ts';
import { eventually } from './patience.ts';
import { addToReport, type Report } from './report.ts';
import { runBuild } from './run-build.ts';
import { readTruth, untilAllClosed, withClient, type Truth } from './truth.ts';
import { lost, type Violation } from './violation.ts';

const START_ATTEMPTS = 3;

export interface FaultStack extends TestStack {
  killWorker(worker: Child): Promise<void>;
  /** Sends SIGTERM. @returns its exit code */
  stopWorker(worker: Child): Promise<number | null>;
  /** Sends SIGKILL, and later starts the server on the same file and port. Needs `dbFile`. */
  restartTemporal(downMs: number): Promise<void>;
  /** Closes DynamoDB's port for a time, or until a promise settles. */
  refuseDynamoDb(away: number | Promise<unknown>): Promise<void>;
  /** Closes the build API's port for a time, or until a promise settles. */
  refuseBuildApi(away: number | Promise<unknown>): Promise<void>;
  /** Runs `start --wait --json`. @returns its output */
  follow(input: RoleBuildInput, settings?: Record<string, string>): Promise<Record<string, unknown>>;
  /** Runs a build with Temporal's client, which needs no process, to its end. @returns the same as `follow` */
  run(input: RoleBuildInput, taskQueue?: string): Promise<Record<string, unknown>>;
  /** Checks that both records and the printed outcome tell the same end of the same job. */
  assertEnd(input: RoleBuildInput, end: string, printed: Record<string, unknown>): Promise<void>;
  /** Waits until every build has closed, and adds the results to the report. @returns the broken promises */
  conclude(report: Report, timeLimitMs?: number): Promise<Violation[]>;
}

export interface FaultStackOptions extends Omit<StackOptions, 'temporal'> {
  temporal?: Pick<TemporalServerOptions, 'dynamicConfig'>;
  /** Keeps Temporal's state in a file, so that the server can be restarted after a kill. */
  dbFile?: boolean;
}

export async function startFaultStack({ dbFile = false, ...options }: FaultStackOptions = {}): Promise<FaultStack> {
  const folder = await mkdtemp(join(tmpdir(), 'role-build-faults-'));
  const { stack, temporalOptions, buildApiPort } = await startOnFixedPorts(options, dbFile ? folder : undefined);
  let temporal = stack.temporal;
  const commands = new Set<RunningCli>();
  const startCli: FaultStack['startCli'] = (args, cliOptions) => {
    const command = stack.startCli(args, cliOptions);
    commands.add(command);
    void command.result.finally(() => commands.delete(command));
    return command;
  };
  const deaths: number[] = [];
  const processFaults: string[] = [];
  const count = (fault: string) => {
    processFaults.push(fault);
    deaths.push(Date.now());
  };
  return {
    ...stack,
    startCli,
    cli: (args, cliOptions) => startCli(args, cliOptions).result,
    follow: async (input, settings = {}) => {
      const args = ['start', '--input', '-', '--wait', '--json'];
      return parseJson(await startCli(args, { settings, stdin: JSON.stringify(input) }).result);
    },
    run: (input, taskQueue) => withClient(stack, (client) => runBuild(client, input, taskQueue)),
    assertEnd: async (input, end, printed) => {
      assert.equal(printed['status'], end);
      const { status, history } = await stack.records(input);
      for (const record of [status, history]) {
        assert.equal(record?.['status']?.S, end);
        assert.equal(record?.['job_id']?.S, printed['job_id']);
      }
    },
    killWorker: async (worker) => {
      count('worker: SIGKILL');
      await worker.kill();
    },
    stopWorker: async (worker) => {
      processFaults.push('worker: SIGTERM');
      process.kill(worker.pid, 'SIGTERM');
      return worker.exited;
    },
    restartTemporal: async (downMs) => {
      count('Temporal: SIGKILL');
      await temporal.kill();
      await delay(downMs);
      temporal = await startTemporalServer(temporalOptions);
      deaths.push(Date.now());
    },
    refuseDynamoDb: async (away) => {
      processFaults.push('DynamoDB: connections refused for a time');
      await stack.proxy.close();
      await (typeof away === 'number' ? delay(away) : away);
      await stack.proxy.open();
    },
    refuseBuildApi: async (away) => {
      processFaults.push('build API: connections refused for a time');
      await stack.buildApi.close();
      await (typeof away === 'number' ? delay(away) : away);
      await stack.buildApi.listen(buildApiPort, '127.0.0.1');
    },
    conclude: async (report, timeLimitMs = 60_000) => {
      const allClosed = await untilAllClosed(stack, timeLimitMs);
      const isUnderWay = ({ fault, answer }: DynamoDbCall) => fault === 'late' && answer === undefined;
      await eventually('late writes have arrived', () => !stack.proxy.calls.some(isUnderWay));
      const truth: Truth = { ...(await readTruth(stack)), deaths, processFaults };
      const violations = violationsOf(truth);
      if (!allClosed) violations.push(lost(`builds still run after ${timeLimitMs / 1000} s`));
      addToReport(report, truth, violations);
      return violations;
    },
    stop: async () => {
      // A command that follows a build would wait for the server to return.
      for (const command of commands) command.kill('SIGKILL');
      await stack.stop();
      await temporal.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a stack on fixed ports, which restarts need. Another process may take a port just after it was found free. */
async function startOnFixedPorts(options: FaultStackOptions, folder: string | undefined) {
  for (let attempt = 1; ; attempt += 1) {
    const temporalOptions: TemporalServerOptions = {
      ...options.temporal,
      uiPort: false,
      ...(folder === undefined ? {} : { port: await freePort(), dbFile: join(folder, `temporal-${attempt}.db`) }),
    };
    const buildApiPort = await freePort();
    try {
      const stack = await startTestStack({ ...options, temporal: temporalOptions, buildApiPort });
      return { stack, temporalOptions, buildApiPort };
    } catch (err) {
      if (attempt === START_ATTEMPTS || !/in use|is taken/.test((err as Error).message)) throw err;
    }
  }
}
