import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Worker } from '@temporalio/worker';
import { Readiness } from '../../src/worker/readiness.ts';

const status = { runState: 'RUNNING', workflowPollerState: 'POLLING', activityPollerState: 'POLLING' };
const worker = { options: { taskQueue: 'builds' }, getStatus: () => status } as unknown as Worker;

it('a worker is not ready while its directory refuses the password', async () => {
  const readiness = new Readiness();
  let refused: string | undefined;
  readiness.watch([worker], () => refused);
  await readiness.reach(
    () => Promise.resolve(),
    () => undefined,
  );
  assert.equal(readiness.whyNot(), undefined);
  refused = 'the directory refused the password';
  assert.equal(readiness.whyNot(), refused);
  refused = undefined;
  assert.equal(readiness.whyNot(), undefined);
});

it('a worker is not ready before the tables have answered once', async () => {
  const readiness = new Readiness();
  readiness.watch([worker], () => undefined);
  assert.equal(readiness.whyNot(), 'the DynamoDB tables have not answered yet');
  await readiness.reach(
    () => Promise.resolve(),
    () => undefined,
  );
  assert.equal(readiness.whyNot(), undefined);
});
