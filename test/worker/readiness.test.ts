import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
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

it('a worker does not poll while AWS refuses the tables, but does if they do not answer', async () => {
  const refusal = (name: string, httpStatusCode?: number) =>
    Object.assign(new Error(), { name, $metadata: { httpStatusCode } });
  const firstOf = async (err: Error) => {
    const readiness = new Readiness();
    const tables = async () => {
      await setImmediate();
      throw err;
    };
    void readiness.reach(tables, () => undefined);
    let mayPoll = false;
    const waiting = async () => {
      await readiness.mayPoll();
      mayPoll = true;
    };
    void waiting();
    await setImmediate();
    await setImmediate();
    const first = [mayPoll, readiness.whyNot()];
    readiness.stop();
    return first;
  };
  const refused = ['ResourceNotFoundException', 'AccessDeniedException', 'ValidationException'].map(async (name) => {
    assert.deepEqual(await firstOf(refusal(name, 400)), [false, `AWS refuses the DynamoDB tables: ${name}`]);
  });
  await Promise.all(refused);
  for (const err of [
    refusal('ThrottlingException', 400),
    refusal('InternalServerError', 500),
    refusal('TimeoutError'),
    new Error('connect ECONNREFUSED'),
  ]) {
    assert.deepEqual(await firstOf(err), [true, 'starting'], err.name);
  }
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
