/** What `batch` starts, and starts again: after a kill, within its limits, what has failed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import { parseJson, until } from './harness.ts';
import { batchFixture } from './batch-fixture.ts';

describe('role-build batch, its builds under way', { concurrency: 2 }, () => {
  const on = batchFixture();
  const { line, lines, write, reportPath, readReport, args, postsOf } = on;

  it('killed in the middle of 40 and run again, it builds every request exactly once', async () => {
    const file = await write('killed.ndjson', lines('killed', 40));
    const first = on.stack.startCli(args(file, 'killed', '--rate', '6'));
    await until('some were started', async () => (await readReport('killed').catch(() => [])).length > 10);
    first.kill('SIGKILL');
    await first.result;
    const startedBefore = (await readReport('killed')).length;
    assert.ok(startedBefore < 40, `${startedBefore} were started before the kill took effect`);

    const again = await on.stack.cli(args(file, 'killed', '--wait'));
    assert.equal(again.code, 0, again.stderr);
    const { started, started_before, statuses } = parseJson(again);
    assert.deepEqual(statuses, { COMPLETE: 40 });
    // One that no worker had taken up was started again under the same request ID: Temporal answered with its first start.
    assert.equal(Number(started) + Number(started_before), 40);
    const posts = postsOf('killed');
    assert.equal(posts.size, 40);
    assert.deepEqual(
      [...posts].filter(([, count]) => count !== 1),
      [],
    );

    const third = parseJson(await on.stack.cli(args(file, 'killed', '--wait')));
    assert.deepEqual([third['started'], third['started_before']], [0, 40]);
  });

  it('run again before any worker has taken up a build, it starts none of them again, and says so', async () => {
    const settings = { ROLE_BUILD_TASK_QUEUE: 'nobody' };
    const file = await write('waiting.ndjson', lines('waiting', 60));
    const first = on.stack.startCli(args(file, 'waiting', '--rate', '6'), { settings });
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const { workflow } = new Client({ connection });
    const count = async () => (await workflow.count("CustomRoleName STARTS_WITH 'waiting-'")).count;
    await until('some were started', async () => (await count()) > 15);
    first.kill('SIGKILL');
    await first.result;
    const earlier = await count();
    assert.ok(earlier < 60);

    const again = parseJson(await on.stack.cli(args(file, 'waiting'), { settings }));
    assert.ok(Number(again['started_before']) >= earlier - 1, `${earlier} ${JSON.stringify(again)}`);
    await until('all are listed', async () => (await count()) === 60);
    assert.equal(new Set((await readReport('waiting')).map(({ job_id }) => job_id)).size, 60);
    const third = parseJson(await on.stack.cli(args(file, 'waiting'), { settings }));
    assert.deepEqual([third['started'], third['started_before']], [0, 60]);
    await connection.close();
  });

  it('--max-in-flight is held, seen from the build API', async () => {
    const file = await write('held.ndjson', lines('held', 24));
    const result = await on.stack.cli(args(file, 'held', '--max-in-flight', '4', '--wait'));
    assert.equal(result.code, 0, result.stderr);
    const roles = new Map<string, { from: number; to: number }>();

    for (const one of await readReport('held')) {
      const seen = on.stack.buildApi.requests(one.correlation_id);
      roles.set(one.workflow_id ?? '', { from: seen[0]?.at ?? 0, to: seen.at(-1)?.answered_at ?? Infinity });
    }
    const spans = [...roles.values()];
    assert.equal(spans.length, 24);
    const most = Math.max(
      ...spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length),
    );
    assert.ok(most <= 4 && most >= 2, `${most} at once`);
  });

  it('--rate is held', async () => {
    const file = await write('rate.ndjson', lines('rate', 12));
    const begun = Date.now();
    const result = await on.stack.cli(args(file, 'rate', '--rate', '6'));
    assert.equal(result.code, 0, result.stderr);
    assert.ok(Date.now() - begun >= (11 / 6) * 1_000);
    assert.deepEqual(parseJson(result)['statuses'], { IN_PROGRESS: 12 });
  });

  it('--failed-from runs again what failed, once, and nothing else', async () => {
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

    // The batch by itself starts no failed request again: it was not missing.
    const plain = await on.stack.cli(args(file, 'failing-plain', '--wait'));
    assert.equal(plain.code, 1);
    assert.deepEqual([...postsOf('failing').values()], [1, 1, 1, 1, 1, 1]);

    const again = await on.stack.cli(args(file, 'failing-2', '--failed-from', reportPath('failing'), '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(
      (await readReport('failing-2')).map(({ line: number, status }) => `${number} ${status}`),
      ['1 COMPLETE', '4 COMPLETE'],
    );
    const third = parseJson(
      await on.stack.cli(args(file, 'failing-3', '--failed-from', reportPath('failing'), '--wait')),
    );
    assert.deepEqual([third['started'], third['started_before'], third['statuses']], [0, 2, { COMPLETE: 2 }]);
    const posts = postsOf('failing');
    assert.deepEqual([posts.get('failing-1'), posts.get('failing-2'), posts.get('failing-4')], [2, 1, 2]);
  });

  it('what ends without a record is found out from Temporal', async () => {
    const file = await write('evil.ndjson', [line('evil', {}, { url: 'http://127.0.0.1:9' })]);
    const result = await on.stack.cli(args(file, 'evil', '--wait'));
    assert.equal(result.code, 1, result.stderr);
    const [refused] = await readReport('evil');
    assert.equal(refused?.status, 'FAILED');
    assert.match(refused.error ?? '', /InvalidInput: .*BUILD_API_ALLOWED_ORIGINS/);
  });

  it('Ctrl-C starts no more, finishes the report and leaves the builds running', async () => {
    const file = await write('stopped.ndjson', lines('stopped', 60));
    const running = on.stack.startCli(args(file, 'stopped', '--rate', '5', '--wait'));
    await until('some were started', () => postsOf('stopped').size > 5);
    running.kill('SIGINT');
    const result = await running.result;
    assert.equal(result.code, 130, result.stderr);
    assert.match(result.stderr, /interrupted: \d+ not started, which the same command does; \d+ builds go on/);
    const report = await readReport('stopped');
    assert.deepEqual(
      report.map(({ line: number }) => number),
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    const started = report.filter(({ job_id }) => job_id !== undefined);
    assert.ok(started.length > 5 && started.length < 60);
    await until('those that were started are built', () => postsOf('stopped').size === started.length, 120_000);

    const again = await on.stack.cli(args(file, 'stopped', '--wait'));
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(
      [...postsOf('stopped').values()].filter((count) => count !== 1),
      [],
    );
    assert.equal(postsOf('stopped').size, 60);
  });
});
