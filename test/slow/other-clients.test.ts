/** Other teams' clients and workers in the same namespace start and call what they like; our records stay true. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection, WorkflowFailedError, type WorkflowStartOptions } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import { findTemporalCli } from '../../dev/servers/temporal-binaries.ts';
import { DEFAULT_TASK_QUEUE, ROLE_BUILD_WORKFLOW_TYPE, triggersQueueOf, workflowIdOf } from '../../src/contract.ts';
import { newProgress, type Progress } from '../../src/domain/progress.ts';
import { historyRequestOf, type RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';
import { ACCOUNT, inputFor, letSucceed, startTestStack, until, type TestStack } from '../support/stack.ts';

const THEIR_QUEUE = 'of another team';
const run = promisify(execFile);

describe('another client in the namespace', { concurrency: 4 }, () => {
  let stack: TestStack;
  let connection: Connection;
  let native: NativeConnection;
  let client: Client;
  let temporal: (...args: string[]) => Promise<{ stdout: string }>;
  let stopTheirs: () => Promise<void>;

  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
    const { address, namespace } = stack.temporal;
    const cli = await findTemporalCli();
    const where = ['--address', address, '--namespace', namespace, '--output', 'json'];
    temporal = (...args) => run(cli, [...args, ...where]);
    connection = await Connection.connect({ address });
    client = new Client({ namespace, connection });
    quietRuntime();
    native = await NativeConnection.connect({ address });
    const theirs = await Worker.create({
      connection: native,
      namespace,
      taskQueue: THEIR_QUEUE,
      workflowsPath: fileURLToPath(new URL('../support/probe-workflows.ts', import.meta.url)),
    });
    const ran = theirs.run();
    stopTheirs = async () => {
      theirs.shutdown();
      await ran;
    };
  });
  after(async () => {
    await stopTheirs();
    await native.close();
    await connection.close();
    await stack.stop();
  });

  const idOf = ({ ddb_composite_sort_key: resource }: RoleBuildInput) => workflowIdOf(ACCOUNT, resource);

  /** Starts a build that polls without end. */
  async function running(name: string): Promise<{ input: RoleBuildInput; job_id: string }> {
    const input = inputFor(stack, name, { outcome: 'NEVER' });
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).length >= 2);
    return { input, job_id: (JSON.parse(started.stdout) as { job_id: string }).job_id };
  }

  /** Returns the failure of one of their workflows. */
  async function failureOf(type: string, options: WorkflowStartOptions): Promise<ApplicationFailure> {
    try {
      await client.workflow.execute(type, options);
    } catch (err) {
      let cause: unknown = err;
      while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
      assert.ok(err instanceof WorkflowFailedError && cause instanceof ApplicationFailure, String(err));
      return cause;
    }
    assert.fail('it did not fail');
  }

  const madeUp = (more: Partial<Progress> = {}): Progress => ({
    ...newProgress('2020-01-01T00:00:00.000Z', 'absent'),
    record: 'written',
    build_id: 'made-up',
    polls: 1,
    ...more,
  });

  it("another client in the namespace can't replace a running build's record by a cron schedule and forged progress", async () => {
    const { input, job_id } = await running('cron');
    const records = await stack.records(input);
    const ending = { status: 'COMPLETE' } as const;
    const handle = await client.workflow.start(ROLE_BUILD_WORKFLOW_TYPE, {
      workflowId: 'a cron of another team',
      taskQueue: DEFAULT_TASK_QUEUE,
      cronSchedule: '@every 1s',
      args: [input, madeUp({ ending, start_at: '9999-12-31T23:59:59.999Z' })],
    });
    let runs = 0;
    await until('it ran three times', async () => {
      runs = 0;
      for await (const one of client.workflow.list({ query: `WorkflowId = '${handle.workflowId}'` })) {
        if (one.status.name === 'FAILED') runs += 1;
      }
      return runs >= 3;
    });
    await handle.terminate();
    assert.deepEqual(await stack.records(input), records);
    letSucceed(stack, input);
    await until('it ended', async () => (await stack.records(input)).history?.['status']?.S === 'COMPLETE');
    const { status, history } = await stack.records(input);
    assert.deepEqual([status?.['job_id']?.S, history?.['job_id']?.S], [job_id, job_id]);
    const posts = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
    assert.equal(posts.length, 1);
  });

  for (const [name, more] of [
    ['polls', {}],
    ['has-ended', { ending: { status: 'COMPLETE' } }],
  ] as const) {
    it(`another client in the namespace with the forged progress of a build that ${name} is refused for its input, with nothing written or sent`, async () => {
      const input = inputFor(stack, `handed-over-${name}`, {}, { url: 'http://127.0.0.1:9', trace_header: '' });
      const continued = { workflowType: ROLE_BUILD_WORKFLOW_TYPE, taskQueue: DEFAULT_TASK_QUEUE };
      const failure = await failureOf('handOver', {
        workflowId: idOf(input),
        taskQueue: THEIR_QUEUE,
        args: [continued, input, madeUp(more)],
      });
      assert.equal(failure.type, 'InvalidInput');
      const [{ faults }] = failure.details as [{ faults: { path: string }[] }];
      assert.deepEqual(faults.map(({ path }) => path).sort(), ['trace_header', 'url']);
      assert.deepEqual(await stack.records(input), { status: undefined, history: undefined });
      assert.deepEqual(stack.buildApi.requests(input.correlation_id), []);
    });
  }

  it('another client in the namespace with the forged progress of an ended build writes no record of it', async () => {
    const input = inputFor(stack, 'made-up-end');
    const continued = { workflowType: ROLE_BUILD_WORKFLOW_TYPE, taskQueue: DEFAULT_TASK_QUEUE };
    await client.workflow.execute('handOver', {
      workflowId: idOf(input),
      taskQueue: THEIR_QUEUE,
      args: [continued, input, madeUp({ ending: { status: 'COMPLETE' } })],
    });
    assert.deepEqual(await stack.records(input), { status: undefined, history: undefined });
  });

  it('another client in the namespace gets no record written by a standalone activity', async () => {
    const { input, job_id } = await running('standalone');
    const records = await stack.records(input);
    const request = historyRequestOf(input);
    const job = { job_id, start_at: records.status?.['start_at']?.S };
    const args = JSON.stringify({ request, job, may_create: true });
    const command = [
      '--type',
      'updateSuccessfulHistory',
      '--activity-id',
      'theirs',
      '--task-queue',
      DEFAULT_TASK_QUEUE,
    ];
    await assert.rejects(
      temporal('activity', 'execute', ...command, '--start-to-close-timeout', '10s', '--input', args),
      ({ stdout }: { stdout: string }) => stdout.includes('is for the workflow of the build that it is about'),
    );
    assert.deepEqual(await stack.records(input), records);
    await stack.cli(['cancel', ACCOUNT, input.ddb_composite_sort_key, '--wait']);
  });

  it("another client in the namespace gets no activity done for its own workflow type, not even under a build's workflow ID", async () => {
    const input = inputFor(stack, 'borrowed');
    const job = { job_id: 'made-up', start_at: '2020-01-01T00:00:00.000Z' };
    const request = historyRequestOf(input);
    for (const workflowId of ['borrows', idOf(input)]) {
      for (const [activity, queue, ...args] of [
        ['upsertRequestRecord', DEFAULT_TASK_QUEUE, input, job],
        ['updateFailedHistory', DEFAULT_TASK_QUEUE, { request, job, may_create: true }, { Error: 'x', Cause: 'y' }],
        ['triggerBuild', triggersQueueOf(DEFAULT_TASK_QUEUE), input, input.build_body],
      ] as const) {
        const options = { workflowId, taskQueue: THEIR_QUEUE, args: [activity, queue, ...args] };
        assert.equal((await failureOf('borrow', options)).type, 'InvalidInput', activity);
      }
    }
    assert.deepEqual(await stack.records(input), { status: undefined, history: undefined });
    assert.deepEqual(stack.buildApi.requests(input.correlation_id), []);
  });

  it('another client in the namespace can start a build with `temporal workflow start` as docs/callers.md says', async () => {
    const input = inputFor(stack, 'by-temporal', { polls: 0 });
    const file = join(tmpdir(), `role-build-input-${process.pid}.json`);
    await writeFile(file, JSON.stringify(input));
    const named = ['--workflow-id', idOf(input), '--task-queue', DEFAULT_TASK_QUEUE, '--input-file', file];
    await temporal('workflow', 'start', '--type', ROLE_BUILD_WORKFLOW_TYPE, ...named);
    const { status } = (await client.workflow.getHandle(idOf(input)).result()) as { status: string };
    assert.equal(status, 'COMPLETE');
    assert.equal((await stack.records(input)).status?.['status']?.S, 'COMPLETE');
  });
});
