/** Tests the limits on calls to the build API, as the API sees them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { runBuild } from '../faults/run-build.ts';
import { withClient } from '../faults/truth.ts';
import { metricsOnce } from '../support/metrics-page.ts';
import { inputFor, startTestStack, type TestStack } from '../support/stack.ts';

describe('limits on calls of the build API', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  const run = (inputs: readonly RoleBuildInput[]) =>
    withClient(stack, (client) => Promise.all(inputs.map((input) => runBuild(client, input))));
  /** Returns when the requests of these builds came, in order. */
  const times = (inputs: readonly RoleBuildInput[], method: string) =>
    inputs
      .flatMap((input) => stack.buildApi.requests(input.correlation_id))
      .filter((request) => request.method === method)
      .map(({ at }) => at)
      .toSorted((a, b) => a - b);
  const spanMs = (at: readonly number[]) => (at.at(-1) ?? 0) - (at[0] ?? 0);

  it("a worker's polls stay within their limit; those that would wait too long are deferred, and no build fails", async () => {
    const worker = await stack.startWorker({ settings: { BUILD_API_MAX_POLLS_PER_SECOND: '1' } });
    const inputs = Array.from({ length: 16 }, (_, i) => inputFor(stack, `polled-${i}`, { polls: 0 }));
    for (const outcome of await run(inputs)) {
      assert.equal(outcome['status'], 'COMPLETE');
      assert.equal(outcome['polls'], 1, 'a poll that was deferred is none');
    }
    const polls = times(inputs, 'GET');
    // A poll whose answer was lost on a busy machine is made again.
    assert.ok(polls.length >= 16, `${polls.length} polls`);
    // 15 s, less the transit times of the first and the last. Without the limit all would come at once.
    assert.ok(spanMs(polls) > 8_000, `${polls.length} polls in ${spanMs(polls)} ms`);
    // At the polls' rate they would take as long.
    assert.ok(spanMs(times(inputs, 'POST')) < 0.8 * spanMs(polls), 'POSTs are not held back');
    const { sum } = await metricsOnce(worker.metricsUrl, (page) => page.sum('role_build_polls_total') === polls.length);
    assert.ok((sum('role_build_polls_put_off_total') ?? 0) > 0);
    await worker.stop();
  });

  it("two workers' POSTs together stay within their limit, and record writes are not delayed", async () => {
    const settings = { BUILD_API_MAX_TRIGGERS_PER_SECOND: '1', ROLE_BUILD_TASK_QUEUE: 'limited' };
    const workers = [await stack.startWorker({ settings }), await stack.startWorker({ settings })];
    const inputs = Array.from({ length: 16 }, (_, i) => inputFor(stack, `posted-${i}`, { polls: 0 }));
    stack.proxy.calls.length = 0;
    const outcomes = await withClient(stack, (client) =>
      Promise.all(inputs.map((input) => runBuild(client, input, settings.ROLE_BUILD_TASK_QUEUE))),
    );
    for (const outcome of outcomes) assert.equal(outcome['status'], 'COMPLETE');
    const posts = times(inputs, 'POST');
    assert.equal(posts.length, 16);
    // Temporal lets a second's worth go at once before it paces them.
    const spanSeconds = spanMs(posts) / 1000;
    assert.ok(spanSeconds > 5, `${posts.length} POSTs in ${spanSeconds} s`);
    const puts = stack.proxy.calls.filter(({ operation }) => operation === 'PutItem').map(({ at }) => at);
    assert.ok(puts.length >= 32, `${puts.length} puts`);
    const putSeconds = (Math.max(...puts) - Math.min(...puts)) / 1000;
    // At the rate of the POSTs they would take twice as long as those.
    assert.ok(putSeconds < spanSeconds, `puts in ${putSeconds} s, POSTs in ${spanSeconds} s`);
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});
