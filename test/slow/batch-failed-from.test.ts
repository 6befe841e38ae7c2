/** What `batch --failed-from` starts again, and what it leaves alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import { HISTORY_TABLE_NAME } from '../../src/records/names.ts';
import { batchFixture, countsOf } from '../support/batch-fixture.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import { exitsWith } from '../support/exits-with.ts';
import { ACCOUNT, letSucceed, parseJson, until } from '../support/stack.ts';

describe('role-build batch --failed-from', { concurrency: 2 }, () => {
  const on = batchFixture();
  const { line, lines, write, reportPath, readReport, args, postsOf } = on;

  it('--failed-from starts a build that was terminated with its record IN_PROGRESS again, once', async () => {
    const id = 'request-ended-1';
    const file = await write('ended.ndjson', [line('ended-1', { outcome: 'NEVER' }, { correlation_id: id })]);
    const running = on.stack.cli(args(file, 'ended', '--wait'));
    await until('it polls', () => on.stack.buildApi.requests(id).length >= 2);
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const workflowId = `role-build:${ACCOUNT}:iam_role#ended-1`;
    await new Client({ namespace: on.stack.temporal.namespace, connection }).workflow.getHandle(workflowId).terminate();
    await connection.close();
    await exitsWith(1, running);
    assert.deepEqual(
      (await readReport('ended')).map(({ status }) => status),
      ['TERMINATED'],
    );

    letSucceed(on.stack, { correlation_id: id });
    // Without --failed-from the batch leaves it alone: its record exists.
    const plain = await on.stack.cli(args(file, 'ended-plain', '--wait'));
    assert.deepEqual(parseJson(plain)['statuses'], { TERMINATED: 1 });
    assert.deepEqual(countsOf(plain), { started: 0, started_before: 1, on_their_way: 0 });
    const unfollowed = await on.stack.cli(args(file, 'ended-unfollowed'));
    assert.equal(unfollowed.code, 1, unfollowed.stderr);
    assert.deepEqual(parseJson(unfollowed)['statuses'], { TERMINATED: 1 });
    assert.equal(postsOf('ended').get('ended-1'), 1);

    const again = await on.stack.cli(args(file, 'ended-2', '--failed-from', reportPath('ended'), '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(countsOf(again), { started: 1, started_before: 0, on_their_way: 0 });
    assert.deepEqual(parseJson(again)['statuses'], { COMPLETE: 1 });
    const third = await on.stack.cli(args(file, 'ended-3', '--failed-from', reportPath('ended'), '--wait'));
    assert.deepEqual(countsOf(third), { started: 0, started_before: 1, on_their_way: 0 });
    assert.equal(postsOf('ended').get('ended-1'), 2);
  });

  it('--failed-from starts each failed request again, once, and no other', async () => {
    const refusedAtFirst: Simulate = { polls: 0, trigger: [{ status: 400 }] };
    const file = await write(
      'failing.ndjson',
      lines('failing', 6, (i) => (i % 3 === 0 ? refusedAtFirst : { polls: 0 })),
    );
    const first = await on.stack.cli(args(file, 'failing', '--wait'));
    assert.equal(first.code, 1, first.stderr);
    assert.match(first.stderr, /^line 1: FAILED: CustomNonRetryableError: /m);
    assert.match(first.stderr, /^run again what failed: role-build batch \S+ … --failed-from \S+$/m);
    const report = await readReport('failing');
    assert.deepEqual(
      report.map(({ status }) => status),
      ['FAILED', 'COMPLETE', 'COMPLETE', 'FAILED', 'COMPLETE', 'COMPLETE'],
    );
    assert.match(report[0]?.error ?? '', /^CustomNonRetryableError: /);
    assert.ok(report.every(({ job_id, correlation_id }) => job_id !== undefined && correlation_id !== undefined));

    // Without --failed-from the batch starts no failed request again: its record exists.
    const plain = await on.stack.cli(args(file, 'failing-plain', '--wait'));
    assert.equal(plain.code, 1, plain.stderr);
    assert.deepEqual([...postsOf('failing').values()], [1, 1, 1, 1, 1, 1]);

    const again = await on.stack.cli(args(file, 'failing-2', '--failed-from', reportPath('failing'), '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(
      (await readReport('failing-2')).map(({ line: number, status }) => `${number} ${status}`),
      ['1 COMPLETE', '4 COMPLETE'],
    );
    const other = await write('other.ndjson', lines('other', 1));
    const none = await on.stack.cli(args(other, 'failing-none', '--failed-from', reportPath('failing')));
    assert.equal(none.code, 2, none.stderr);
    assert.match(none.stderr, /none of the requests that failed is in other\.ndjson, so nothing was started/);
    const third = parseJson(
      await on.stack.cli(args(file, 'failing-3', '--failed-from', reportPath('failing'), '--wait')),
    );
    assert.deepEqual([third['started'], third['started_before'], third['statuses']], [0, 2, { COMPLETE: 2 }]);
    const posts = postsOf('failing');
    assert.deepEqual([posts.get('failing-1'), posts.get('failing-2'), posts.get('failing-4')], [2, 1, 2]);
  });

  it('--failed-from starts an invalid line that was corrected, wherever it is now', async () => {
    const [broken, done] = [line('corrected-1', { polls: 0 }, { url: 'ftp://x' }), line('corrected-2')];
    const file = await write('corrected.ndjson', ['no input', broken, done]);
    await exitsWith(1, on.stack.cli(args(file, 'corrected', '--skip-invalid', '--wait')));
    await write('corrected.ndjson', [done, line('corrected-1')]);
    const again = await on.stack.cli(args(file, 'corrected-2', '--failed-from', reportPath('corrected'), '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(countsOf(again), { started: 1, started_before: 0, on_their_way: 0 });
    assert.deepEqual(Object.fromEntries(postsOf('corrected')), { 'corrected-1': 1, 'corrected-2': 1 });
  });

  it('--failed-from says so if a request that failed is not in the file any more', async () => {
    const refused: Simulate = { polls: 0, trigger: [{ status: 400 }] };
    const all = lines('changed', 2, () => refused);
    const file = await write('changed.ndjson', all);
    await exitsWith(1, on.stack.cli(args(file, 'changed', '--wait')));
    await write('changed.ndjson', [all[0], { ...all[1], requested_by: 'somebody else' }]);
    const again = await on.stack.cli(args(file, 'changed-2', '--failed-from', reportPath('changed'), '--wait'));
    assert.equal(again.code, 1, again.stderr);
    assert.deepEqual(parseJson(again)['statuses'], { COMPLETE: 1 });
    assert.match(again.stderr, /^1 requests that failed are not in changed\.ndjson: their lines have changed; run /m);
    const plain = await on.stack.cli(args(file, 'changed-3', '--wait'));
    assert.deepEqual(parseJson(plain)['statuses'], { COMPLETE: 1, FAILED: 1 });
    assert.deepEqual(Object.fromEntries(postsOf('changed')), { 'changed-1': 2, 'changed-2': 2 });
  });

  it('--failed-from takes the report of a --failed-from run that was interrupted', async () => {
    const refusedAtFirst: Simulate = { polls: 0, trigger: [{ status: 400 }] };
    const file = await write(
      'twice.ndjson',
      lines('twice', 6, () => refusedAtFirst),
    );
    await exitsWith(1, on.stack.cli(args(file, 'twice', '--wait')));
    const second = on.stack.startCli(
      args(file, 'twice-2', '--failed-from', reportPath('twice'), '--rate', '0.5', '--wait'),
    );
    await until('one was started again', () => [...postsOf('twice').values()].includes(2));
    second.kill('SIGINT');
    await exitsWith(130, second.result);
    const left = (await readReport('twice-2')).filter(({ status }) => status === 'NOT_STARTED');
    assert.ok(left.length > 0 && left.every(({ job_id }) => job_id !== undefined));
    const third = await on.stack.cli(args(file, 'twice-3', '--failed-from', reportPath('twice-2'), '--wait'));
    assert.equal(third.code, 0, third.stderr);
    assert.deepEqual(parseJson(third)['started'], left.length);
    await until('each was built again, once', () => [...postsOf('twice').values()].every((count) => count === 2));
  });

  it('--wait follows a build until its workflow has closed, so that --failed-from can start it again at once', async () => {
    const id = 'request-closing-1';
    const refusedAtFirst: Simulate = { polls: 0, trigger: [{ status: 400 }] };
    const file = await write('closing.ndjson', [line('closing-1', refusedAtFirst, { correlation_id: id })]);
    const { proxy } = on.stack;
    // The last write takes effect long before the worker hears of it.
    const isLastWrite = ({ operation, request: { TableName } }: DynamoDbCall) =>
      operation === 'UpdateItem' && TableName === HISTORY_TABLE_NAME;
    proxy.decide = (call) => (proxy.callsFor(id).find(isLastWrite) === call ? 'hang-after' : undefined);
    await exitsWith(1, on.stack.cli(args(file, 'closing', '--wait')));
    const again = await on.stack.cli(args(file, 'closing-2', '--failed-from', reportPath('closing'), '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(countsOf(again), { started: 1, started_before: 0, on_their_way: 0 });
  });
});
