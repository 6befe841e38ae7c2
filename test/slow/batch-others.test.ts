/** A batch beside other clients that start or close the same builds, and with builds that it can't read or find. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { keysText, newKey } from '../encryption/keys.ts';
import { batchFixture } from '../support/batch-fixture.ts';
import { exitsWith } from '../support/exits-with.ts';
import { FORGETS_AT_ONCE } from '../support/shared-temporal.ts';
import { ACCOUNT, inputFor, letSucceed, parseJson, until } from '../support/stack.ts';

const REFUSED_AT_FIRST = { polls: 0, trigger: [{ status: 400 }] };
const NOBODY = { settings: { ROLE_BUILD_TASK_QUEUE: 'nobody' } };

describe('role-build batch beside others', { concurrency: 3 }, () => {
  const on = batchFixture();
  const { line, write, reportPath, readReport, args, postsOf } = on;

  it('a request that another client built while it waited in the batch is not built again', async () => {
    const file = await write('turn.ndjson', [
      line('turn-1', { outcome: 'NEVER' }, { correlation_id: 'request-turn-1' }),
      line('turn-2', REFUSED_AT_FIRST),
    ]);
    // Its second line waits until its first has ended.
    const waiting = on.stack.cli(args(file, 'turn', '--max-in-flight', '1', '--wait'));
    await until('the first polls', () => on.stack.buildApi.requests('request-turn-1').length >= 2);
    await on.stack.cli(args(file, 'other'));
    const failed = async () => {
      await on.stack.cli(args(file, 'other-2'));
      return (await readReport('other-2')).some(({ status }) => status === 'FAILED');
    };
    await until('the second fails for the others', failed);
    await exitsWith(0, on.stack.cli(args(file, 'other-3', '--failed-from', reportPath('other-2'), '--wait')));
    letSucceed(on.stack, { correlation_id: 'request-turn-1' });
    const { code, stderr } = await waiting;
    assert.equal(code, 0, stderr);
    assert.deepEqual([...postsOf('turn').values()], [1, 2]);
    assert.deepEqual(
      (await readReport('turn')).map(({ status }) => status),
      ['COMPLETE', 'COMPLETE'],
    );
  });

  it('a request that was started again counts as under way before a worker takes it, whatever its record says', async () => {
    const file = await write('again.ndjson', [line('again-1', REFUSED_AT_FIRST)]);
    await exitsWith(1, on.stack.cli(args(file, 'again', '--wait')));
    await exitsWith(0, on.stack.cli(args(file, 'again-2', '--failed-from', reportPath('again')), NOBODY));
    const third = await on.stack.cli(args(file, 'again-3'), NOBODY);
    assert.deepEqual([third.code, parseJson(third)['on_their_way']], [0, 1], third.stderr);
    const [[second], [now]] = await Promise.all([readReport('again-2'), readReport('again-3')]);
    assert.deepEqual([now?.status, now?.job_id], ['IN_PROGRESS', second?.job_id]);
  });

  it('a build that another client closed without an outcome counts as failed, and --failed-from starts it', async () => {
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const { namespace } = on.stack.temporal;
    const taskQueue = { name: 'closes without an outcome' };
    const input = inputFor(on.stack, 'silent-1', { polls: 0 });
    const workflowId = `role-build:${ACCOUNT}:iam_role#silent-1`;
    await new Client({ connection, namespace }).workflow.start('roleBuild', {
      workflowId,
      taskQueue: taskQueue.name,
      args: [input],
    });
    const file = await write('silent.ndjson', [
      line('silent-1', {}, { correlation_id: input.correlation_id }),
      line('silent-2'),
    ]);

    const followed = on.stack.cli(args(file, 'silent', '--wait'));
    await until('it has reported the other', async () => (await readReport('silent').catch(() => [])).length > 0);
    const { taskToken } = await connection.withDeadline(Date.now() + 60_000, () =>
      connection.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue }),
    );
    const scheduleActivityTaskCommandAttributes = {
      activityId: '1',
      activityType: { name: 'triggerBuild' },
      taskQueue,
      startToCloseTimeout: msToTs('1 minute'),
      scheduleToCloseTimeout: msToTs('1 minute'),
    };
    const result = { payloads: [defaultPayloadConverter.toPayload('x')] };
    const commands = [
      { commandType: 1, scheduleActivityTaskCommandAttributes },
      { commandType: 4, completeWorkflowExecutionCommandAttributes: { result } },
    ];
    await connection.workflowService.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
    await connection.close();

    for (const batch of [followed, on.stack.cli(args(file, 'silent-2'))]) await exitsWith(1, batch);
    for (const report of ['silent', 'silent-2']) {
      const [{ status, error } = {}] = await readReport(report);
      assert.equal(status, 'FAILED', report);
      assert.match(error ?? '', /closed as COMPLETED without saying how the build ended/);
    }
    await exitsWith(0, on.stack.cli(args(file, 'silent-3', '--failed-from', reportPath('silent-2'), '--wait')));
    assert.equal(postsOf('silent').get('silent-1'), 1);
  });

  it('a build that runs in another namespace with the same tables is not started a second time', async () => {
    const { stack } = on;
    const there = { settings: { TEMPORAL_NAMESPACE: `${stack.temporal.namespace}-other` } };
    const connection = await Connection.connect({ address: stack.temporal.address });
    await connection.workflowService.registerNamespace({
      namespace: there.settings.TEMPORAL_NAMESPACE,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    await connection.close();
    await until('the namespace is set up', async () => (await stack.cli(['setup'], there)).code === 0);
    // The resource has been built there before.
    const worker = await stack.startWorker(there);
    const before = inputFor(stack, 'elsewhere-1', { polls: 0 }, { correlation_id: 'before-elsewhere-1' });
    await exitsWith(0, stack.cli(['start', '--input', '-', '--wait'], { stdin: JSON.stringify(before), ...there }));
    await worker.stop();

    const file = await write('elsewhere.ndjson', [
      line('elsewhere-1', { outcome: 'NEVER' }, { correlation_id: 'request-elsewhere-1' }),
    ]);
    await exitsWith(0, stack.cli(args(file, 'here')));
    await until('it polls', () => stack.buildApi.requests('request-elsewhere-1').length >= 2);
    const followed = await stack.cli(args(file, 'there', '--wait'), there);
    assert.match(followed.stderr, /ExecutionLost: .* namespace \S+-other: it was deleted, or runs in another/);
    const again = await stack.cli(args(file, 'there-2', '--failed-from', reportPath('there')), there);
    assert.equal(parseJson(again)['started'], 0, again.stderr);
    await exitsWith(0, stack.cli(['cancel', '--correlation-id', 'request-elsewhere-1', '--wait']));
    assert.equal(postsOf('elsewhere').get('elsewhere-1'), 2);
  });
});

describe('role-build batch with a key of its own', { concurrency: 2 }, () => {
  const [ours, theirs] = [newKey('ours'), newKey('theirs')];
  const on = batchFixture({
    temporal: { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 40, ...FORGETS_AT_ONCE } },
    settings: { ENCRYPTION_KEYS: keysText(theirs, ours), ENCRYPTION_REQUIRED: 'true' },
  });
  const { line, write, readReport, args } = on;
  const ourKey = { settings: { ENCRYPTION_KEYS: keysText(ours) } };
  const connected = async () => {
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    return { connection, client: new Client({ connection, namespace: on.stack.temporal.namespace }) };
  };

  it("a batch goes on when a build ends whose result it can't decrypt", async () => {
    const { connection, client } = await connected();
    const started = inputFor(on.stack, 'secret-1', { outcome: 'NEVER' });
    await exitsWith(0, on.stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(started) }));
    await until('it polls', () => on.stack.buildApi.requests(started.correlation_id).length >= 2);
    const file = await write('secret.ndjson', [
      line('secret-1', {}, { correlation_id: started.correlation_id }),
      line('secret-2'),
    ]);
    const batch = on.stack.cli(args(file, 'secret', '--wait'), ourKey);
    await until('it has reported the other', async () => (await readReport('secret').catch(() => [])).length > 0);
    await client.workflow.getHandle(`role-build:${ACCOUNT}:iam_role#secret-1`).terminate();
    const { code, stderr } = await batch;
    assert.equal(code, 1, stderr);
    assert.deepEqual(
      (await readReport('secret')).map(({ status }) => status),
      ['TERMINATED', 'COMPLETE'],
    );
    await connection.close();
  });

  it('a build whose last run was deleted counts as lost, and the report can be read again', async () => {
    const { connection, client } = await connected();
    const file = await write('deleted.ndjson', [line('deleted-1', { outcome: 'NEVER' })]);
    const batch = on.stack.cli(args(file, 'deleted', '--wait'), ourKey);
    const handle = client.workflow.getHandle(`role-build:${ACCOUNT}:iam_role#deleted-1`);
    const runs = new Set<string>();
    const hasContinued = async () => runs.add((await handle.describe()).runId).size > 1;
    await until('it has continued as new', () => hasContinued().catch(() => false), 60_000);
    const workflowExecution = { workflowId: handle.workflowId, runId: [...runs].at(-1) ?? '' };
    const { namespace } = on.stack.temporal;
    await client.workflowService.terminateWorkflowExecution({ namespace, workflowExecution });
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
    await exitsWith(1, batch);
    const isThere = () => handle.describe().then(Boolean, () => false);
    await until('it is deleted', async () => !(await isThere()));
    await exitsWith(1, on.stack.cli(args(file, 'deleted-2', '--wait'), ourKey));
    const [{ status, error } = {}] = await readReport('deleted-2');
    assert.deepEqual([status, error?.replace(/:.*/, '')], ['FAILED', 'ExecutionLost']);
    await connection.close();
  });
});
