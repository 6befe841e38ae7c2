import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

const WORKER = fileURLToPath(new URL('../../src/worker.ts', import.meta.url));

describe('the worker', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  it('the worker does not start with missing or wrong settings, and names every one', () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [WORKER], {
      env: { PATH: process.env['PATH'], BUILD_API_TIMEOUT_SECONDS: '61', LOG_LEVEL: 'loud' },
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.equal(stdout, '');
    for (const name of ['API_ALB_FQDN', 'BUILD_API_ALLOWED_ORIGINS', 'BUILD_API_TIMEOUT_SECONDS', 'LOG_LEVEL']) {
      assert.match(stderr, new RegExp(`^ {2}${name} `, 'm'));
    }
    assert.doesNotMatch(stderr, /^\s+at /m);
  });

  it('the worker lets a POST under way finish on SIGTERM, exits 0, and the next worker ends the build without another POST', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'sigterm', { polls: 0, trigger: [{ delay_ms: 3_000 }] });
    const ended = stack.build(input);
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length >= 1);
    process.kill(worker.pid, 'SIGTERM');
    assert.equal(await worker.exited, 0);
    assert.notEqual(stack.buildApi.requests(input.correlation_id)[0]?.answered_at, null);
    const next = await stack.startWorker();
    const { json } = await ended;
    await next.stop();
    assert.equal(json['status'], 'COMPLETE');
    assert.equal(stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST').length, 1);
  });

  it('the worker ignores a second SIGTERM within a second, and exits at once at a later one', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'twice', { trigger: [{ delay_ms: 20_000 }] });
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length >= 1);
    process.kill(worker.pid, 'SIGTERM');
    process.kill(worker.pid, 'SIGTERM');
    await until('it has logged that it stops', () => worker.output().includes('worker stopping'));
    const heardAt = performance.now();
    await until('more than a second has passed', () => performance.now() - heardAt > 1_200);
    assert.equal(worker.hasExited(), false);
    process.kill(worker.pid, 'SIGTERM');
    // A worker that lets the POST finish exits 0.
    assert.equal(await worker.exited, 1);
  });

  it('a worker that is killed between the POST and its recorded answer leaves it to the next, which repeats the request ID: one build', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'killed', { polls: 0, trigger: [{ delay_ms: 20_000 }] });
    const ended = stack.build(input);
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length >= 1);
    await worker.kill();
    await stack.startWorker();
    const { json } = await ended;
    assert.equal(json['status'], 'COMPLETE');
    const posts = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
    assert.equal(posts.length, 2);
    assert.equal(stack.buildApi.builds().filter((build) => build.correlation_id === input.correlation_id).length, 1);
  });
});
