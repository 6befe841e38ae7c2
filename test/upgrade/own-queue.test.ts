import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inputFor, startTestStack, until } from '../support/stack.ts';
import { changedWorker } from './changed-worker.ts';

it('a worker of today makes a POST that was scheduled before POSTs had their own queue', async (t) => {
  const stack = await startTestStack();
  t.after(() => stack.stop());
  const earlier = await changedWorker([
    ['taskQueue: triggersQueueOf(workflowInfo().taskQueue)', 'taskQueue: workflowInfo().taskQueue'],
  ]);
  t.after(() => earlier.remove());
  const old = await stack.startWorker({ program: earlier.program });
  const input = inputFor(stack, 'own-queue', { polls: 0, trigger: [{ status: 503 }] });
  const ended = stack.build(input);
  await until('the first attempt was made', () => stack.buildApi.requests(input.correlation_id).length >= 1);
  await old.kill();
  const next = await stack.startWorker();
  assert.equal((await ended).json['status'], 'COMPLETE');
  await next.stop();
});
