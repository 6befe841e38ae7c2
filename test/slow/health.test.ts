/** The probes and the shutdown of a real worker process with builds under way. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { StackWorker } from '../../dev/stack.ts';
import { runBuild } from '../faults/run-build.ts';
import { withClient } from '../faults/truth.ts';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';
import { stopAsItSays } from '../support/stop-as-it-says.ts';

const BUILDS_OF_A_KIND = 8;

describe("the worker's health", () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack({ temporal: {} });
  });
  after(() => stack.stop());

  const probe = async (worker: StackWorker, path: 'livez' | 'readyz') => {
    const answer = await fetch(`${worker.healthUrl}/${path}`);
    return { status: answer.status, text: (await answer.text()).trim() };
  };
  const run = (input: RoleBuildInput) => withClient(stack, (client) => runBuild(client, input));
  const posts = (input: RoleBuildInput) =>
    stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');

  it("the worker's health is alive from the start, but not ready before the tables have answered once", async () => {
    await stack.proxy.close();
    const worker = await stack.startWorker();
    await until('an attempt at the tables has failed', () => worker.output().includes('tables could not be read'));
    assert.deepEqual(await probe(worker, 'readyz'), {
      status: 503,
      text: 'the DynamoDB tables have not answered yet',
    });
    assert.equal((await probe(worker, 'livez')).status, 200);
    await stack.proxy.open();
    await until('it is ready', async () => (await probe(worker, 'readyz')).status === 200);
    await stack.proxy.close();
    assert.equal((await probe(worker, 'readyz')).status, 200, 'an outage later on is no reason to replace it');
    await stack.proxy.open();
    await worker.stop();
  });

  it('a worker is not ready at once on SIGTERM, lets steps under way end and exits 0 in time; nothing is lost or done twice', async () => {
    const old = await stack.startWorker();
    await until('it is ready', async () => (await probe(old, 'readyz')).status === 200);
    const inputs = Array.from({ length: BUILDS_OF_A_KIND }, (_, i) => [
      inputFor(stack, `posting-${i}`, { polls: 1, trigger: [{ delay_ms: 8_000 }] }),
      inputFor(stack, `polling-${i}`, { polls: 1, status: [{ delay_ms: 8_000 }] }),
      inputFor(stack, `waiting-${i}`, { polls: 1 }, { poll_interval_seconds: 5 }),
    ]).flat();
    const ended = inputs.map(run);
    await until('every step is under way', () =>
      inputs.every((input) => {
        const requests = stack.buildApi.requests(input.correlation_id);
        return requests.length >= (input.correlation_id.includes('polling') ? 2 : 1);
      }),
    );

    const stoppedAt = performance.now();
    process.kill(old.pid, 'SIGTERM');
    await until('it has heard of it', () => old.output().includes('worker stopping'));
    assert.deepEqual(await probe(old, 'readyz'), { status: 503, text: 'stopping' });
    assert.equal((await probe(old, 'livez')).status, 200);
    // As in a rollout: the next one starts while the old one stops.
    const next = await stack.startWorker();
    assert.equal(await old.exited, 0);
    assert.ok(performance.now() - stoppedAt < 70_000);

    for (const [i, outcome] of (await Promise.all(ended)).entries()) {
      const input = inputs[i] as RoleBuildInput;
      assert.equal(outcome['status'], 'COMPLETE', input.correlation_id);
      assert.equal(posts(input).length, 1, input.correlation_id);
      const { status, history } = await stack.records(input);
      assert.deepEqual([status?.['status']?.S, history?.['status']?.S], ['COMPLETE', 'COMPLETE']);
    }
    await next.stop();
  });

  it('a worker that is told to stop before it polls exits 0 at once', async () => {
    const starting = stack.startWorker({ settings: { NODE_OPTIONS: stopAsItSays('health listening') } });
    await assert.rejects(starting, /exit code 0/);
  });

  it("the worker's health is alive while Temporal is away", async () => {
    const worker = await stack.startWorker();
    await stack.temporal.kill();
    assert.equal((await probe(worker, 'livez')).status, 200);
    const stoppedAt = performance.now();
    process.kill(worker.pid, 'SIGTERM');
    assert.equal(await worker.exited, 0);
    assert.ok(performance.now() - stoppedAt < 80_000);
  });
});
