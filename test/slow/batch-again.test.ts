/** What `batch` starts: within its limits, and after a kill or other runs. batch-failed-from.test.ts has --failed-from. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { ACCOUNT, letSucceed, parseJson, until } from '../support/stack.ts';
import { batchFixture, countsOf } from '../support/batch-fixture.ts';
import { exitsWith } from '../support/exits-with.ts';

describe('role-build batch, its builds under way', { concurrency: 2 }, () => {
  const on = batchFixture();
  const { line, lines, write, readReport, args, postsOf } = on;

  it('a batch that is killed in the middle of 20 and run again builds every request exactly once', async () => {
    const file = await write('killed.ndjson', lines('killed', 20));
    const first = on.stack.startCli(args(file, 'killed', '--rate', '1'));
    await until('some were started', async () => (await readReport('killed').catch(() => [])).length > 5);
    first.kill('SIGKILL');
    await first.result;
    const startedBefore = (await readReport('killed')).length;
    assert.ok(startedBefore < 20, `${startedBefore} were started before the kill took effect`);

    const again = await on.stack.cli(args(file, 'killed', '--wait'));
    assert.equal(again.code, 0, again.stderr);
    const { started, started_before, statuses } = parseJson(again);
    assert.deepEqual(statuses, { COMPLETE: 20 });
    assert.equal(Number(started) + Number(started_before), 20);
    assert.ok(Number(started_before) >= startedBefore, `${String(started_before)} of ${startedBefore}`);
    const posts = postsOf('killed');
    assert.equal(posts.size, 20);
    assert.deepEqual(
      [...posts].filter(([, count]) => count !== 1),
      [],
    );

    const third = parseJson(await on.stack.cli(args(file, 'killed', '--wait')));
    assert.deepEqual([third['started'], third['started_before']], [0, 20]);
  });

  it('a batch that is run again before a worker has taken any of its builds starts none again, and says so', async () => {
    const settings = { ROLE_BUILD_TASK_QUEUE: 'nobody' };
    const file = await write('waiting.ndjson', lines('waiting', 24));
    // It starts no more builds, because none of those in flight ends.
    const first = on.stack.startCli(args(file, 'waiting', '--max-in-flight', '12'), { settings });
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const { workflow } = new Client({ namespace: on.stack.temporal.namespace, connection });
    const count = async () => (await workflow.count("CustomRoleName STARTS_WITH 'waiting-'")).count;
    await until('12 were started', async () => (await count()) === 12);
    first.kill('SIGKILL');
    await first.result;
    const again = parseJson(await on.stack.cli(args(file, 'waiting'), { settings }));
    assert.deepEqual([again['started'], again['started_before'], again['on_their_way']], [12, 12, 12]);
    await until('all are listed', async () => (await count()) === 24);
    assert.equal(new Set((await readReport('waiting')).map(({ job_id }) => job_id)).size, 24);
    const third = await on.stack.cli(args(file, 'waiting'), { settings });
    assert.deepEqual(countsOf(third), { started: 0, started_before: 24, on_their_way: 24 });
    assert.match(third.stderr, /^24 had already started$/m);
    await connection.close();
  });

  it('a batch that is run again after a worker has refused its builds starts them, and says so', async () => {
    const settings = { ROLE_BUILD_TASK_QUEUE: 'narrow', BUILD_API_ALLOWED_ORIGINS: 'https://elsewhere.example.com' };
    const file = await write('narrow.ndjson', lines('narrow', 3));
    const worker = await on.stack.startWorker({ settings });
    for (const _ of ['first', 'again']) {
      const refused = await on.stack.cli(args(file, 'narrow', '--wait'), { settings });
      assert.equal(refused.code, 1, refused.stderr);
      assert.deepEqual(countsOf(refused), { started: 3, started_before: 0, on_their_way: 0 });
      assert.match(refused.stderr, /^line 1: FAILED: InvalidInput: .*BUILD_API_ALLOWED_ORIGINS/m);
    }
    await worker.stop();

    const again = await on.stack.cli(args(file, 'narrow', '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(countsOf(again), { started: 3, started_before: 0, on_their_way: 0 });
    assert.deepEqual([...postsOf('narrow').values()], [1, 1, 1]);
    const third = await on.stack.cli(args(file, 'narrow', '--wait'));
    assert.deepEqual(countsOf(third), { started: 0, started_before: 3, on_their_way: 0 });
    assert.deepEqual([...postsOf('narrow').values()], [1, 1, 1]);
  });

  it('two runs at once of a batch whose builds were terminated before their first put start each build once', async () => {
    const settings = { ROLE_BUILD_TASK_QUEUE: 'nobody' };
    const file = await write('stopped-early.ndjson', lines('stopped-early', 12));
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const { workflow } = new Client({ namespace: on.stack.temporal.namespace, connection });
    await on.stack.cli(args(file, 'stopped-early'), { settings });
    const first = await readReport('stopped-early');
    for (const { workflow_id: id } of first) await workflow.getHandle(id ?? '').terminate();

    const both = await Promise.all(
      ['one', 'other'].map((name) => on.stack.cli(args(file, `stopped-early-${name}`), { settings })),
    );
    for (const { code, stderr } of both) assert.equal(code, 0, stderr);
    const [one, other] = await Promise.all(['one', 'other'].map((name) => readReport(`stopped-early-${name}`)));
    assert.deepEqual(one, other);
    for (const [i, { workflow_id: id, job_id: job }] of one?.entries() ?? []) {
      assert.notEqual(job, first[i]?.job_id);
      const { runId, status } = await workflow.getHandle(id ?? '').describe();
      assert.deepEqual([runId, status.name], [job, 'RUNNING']);
    }
    const third = await on.stack.cli(args(file, 'stopped-early'), { settings });
    assert.deepEqual(countsOf(third), { started: 0, started_before: 12, on_their_way: 12 });
    await connection.close();
  });

  it('a batch that is run again starts no ended build whose records are missing', async () => {
    const file = await write('lost.ndjson', lines('lost', 2));
    const first = await on.stack.cli(args(file, 'lost', '--wait'));
    assert.equal(first.code, 0, first.stderr);
    const settings = { STATUS_TABLE: 'another_status', HISTORY_TABLE: 'another_history' };
    await exitsWith(0, on.stack.cli(['setup'], { settings }));
    const again = await on.stack.cli(args(file, 'lost-2'), { settings });
    assert.deepEqual(countsOf(again), { started: 0, started_before: 2, on_their_way: 0 });
    assert.deepEqual(await readReport('lost-2'), await readReport('lost'));
    assert.deepEqual([...postsOf('lost').values()], [1, 1]);
  });

  it('--wait follows a build to its end although its workflow is reset meanwhile', async () => {
    const id = 'request-reset-1';
    const file = await write('reset.ndjson', [line('reset-1', { outcome: 'NEVER' }, { correlation_id: id })]);
    const running = on.stack.cli(args(file, 'reset', '--wait'));
    await until('it polls', () => on.stack.buildApi.requests(id).length >= 2);
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const workflowId = `role-build:${ACCOUNT}:iam_role#reset-1`;
    const { events = [] } = await new Client({ namespace: on.stack.temporal.namespace, connection }).workflow
      .getHandle(workflowId)
      .fetchHistory();
    await connection.workflowService.resetWorkflowExecution({
      namespace: on.stack.temporal.namespace,
      workflowExecution: { workflowId },
      workflowTaskFinishEventId: events?.find((one) => one.workflowTaskCompletedEventAttributes)?.eventId ?? null,
      requestId: randomUUID(),
    });
    await connection.close();
    // Long enough for the run that was reset to be seen as closed.
    await until('it polls again', () => on.stack.buildApi.requests(id).length >= 8);
    letSucceed(on.stack, { correlation_id: id });
    const result = await running;
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(parseJson(result)['statuses'], { COMPLETE: 1 });
  });

  it('the build API sees no more builds at once than --max-in-flight allows', async () => {
    const file = await write('held.ndjson', lines('held', 12));
    const result = await on.stack.cli(args(file, 'held', '--max-in-flight', '4', '--wait'));
    assert.equal(result.code, 0, result.stderr);
    const roles = new Map<string, { from: number; to: number }>();

    for (const one of await readReport('held')) {
      const seen = on.stack.buildApi.requests(one.correlation_id);
      roles.set(one.workflow_id ?? '', { from: seen[0]?.at ?? 0, to: seen.at(-1)?.answered_at ?? Infinity });
    }
    const spans = [...roles.values()];
    assert.equal(spans.length, 12);
    const most = Math.max(
      ...spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length),
    );
    assert.ok(most <= 4 && most >= 2, `${most} at once`);
  });

  it('--rate limits how many builds start a second', async () => {
    const file = await write('rate.ndjson', lines('rate', 12));
    const begun = Date.now();
    const result = await on.stack.cli(args(file, 'rate', '--rate', '6'));
    assert.equal(result.code, 0, result.stderr);
    assert.ok(Date.now() - begun >= (11 / 6) * 1_000);
    assert.deepEqual(parseJson(result)['statuses'], { IN_PROGRESS: 12 });
  });

  it('a batch asks Temporal how a build without a record ended', async () => {
    const file = await write('evil.ndjson', [line('evil', {}, { url: 'http://127.0.0.1:9' })]);
    const result = await on.stack.cli(args(file, 'evil', '--wait'));
    assert.equal(result.code, 1, result.stderr);
    const [refused] = await readReport('evil');
    assert.equal(refused?.status, 'FAILED');
    assert.match(refused.error ?? '', /InvalidInput: .*BUILD_API_ALLOWED_ORIGINS/);
  });

  it('after Ctrl-C a batch starts no more builds, finishes its report and leaves the builds running', async () => {
    const file = await write('stopped.ndjson', lines('stopped', 24));
    const running = on.stack.startCli(args(file, 'stopped', '--rate', '1', '--wait'));
    await until('some were started', () => postsOf('stopped').size > 5);
    running.kill('SIGINT');
    const result = await running.result;
    assert.equal(result.code, 130, result.stderr);
    assert.match(
      result.stderr,
      /interrupted: \d+ not reached or not started, run the same command again; \d+ builds go on/,
    );
    const report = await readReport('stopped');
    assert.deepEqual(
      report.map(({ line: number }) => number),
      Array.from({ length: 24 }, (_, i) => i + 1),
    );
    const started = report.filter(({ job_id }) => job_id !== undefined);
    assert.ok(started.length > 5 && started.length < 24);
    await until('those that were started are built', () => postsOf('stopped').size === started.length, 120_000);

    const again = await on.stack.cli(args(file, 'stopped', '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(
      [...postsOf('stopped').values()].filter((count) => count !== 1),
      [],
    );
    assert.equal(postsOf('stopped').size, 24);
  });
});
