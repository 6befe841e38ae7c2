/** Answers of DynamoDB that begin and never end. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { createRecordActivities } from '../../src/activities/records.ts';
import { serviceError } from '../../src/cli/errors/service.ts';
import { findTwins, readStatusRecord } from '../../src/records/status-table.ts';
import { JOB, useDynamoDb, useDynamoDbProxy } from '../support/tables.ts';

useDynamoDb();

/** The sockets of the AWS SDK's client; other calls wait for a free one. */
const CONNECTIONS = 50;
const CALLS = 60;
const KEY = { account_id: '123456789012', resource: 'iam_role#endless' };

describe('an answer that begins and does not end', () => {
  const on = useDynamoDbProxy();

  const read = () => readStatusRecord(on.tables, KEY);
  const outcomeOf = (call: Promise<unknown>) =>
    call.then(
      () => 'answered',
      (err: Error) => err,
    );
  const began = async (calls: number) => {
    while (on.proxy.calls.length < calls) await setImmediate();
  };
  beforeEach((t) => {
    on.proxy.calls.length = 0;
    // A name that its type does not have yet.
    (t as TestContext).mock.timers.enable({ apis: ['AbortSignal.timeout' as 'setTimeout'] });
  });

  it('an answer that begins and does not end is given up after 10 s, also when all sockets have one; then calls succeed again', async (t) => {
    on.proxy.decide = () => 'stall';
    let ended = 0;
    const outcomes = Array.from({ length: CALLS }, () => outcomeOf(read()).finally(() => (ended += 1)));
    await began(CONNECTIONS);
    t.mock.timers.tick(9_900);
    await setImmediate();
    assert.equal(ended, 0);
    on.proxy.decide = () => undefined;
    t.mock.timers.tick(100);
    for (const err of await Promise.all(outcomes)) {
      const said = serviceError(err, { service: 'DynamoDB' });
      assert.equal(said?.message, "DynamoDB can't be reached: the answer did not end within 10 s");
      assert.deepEqual([said.exitCode, said.transient], [5, true]);
    }
    assert.equal(await read(), undefined);
  });

  it('an answer that begins and does not end counts as none to a worker, which writes again', async (t) => {
    on.proxy.decide = () => 'stall';
    const { updateSuccessfulRecord } = createRecordActivities(on.tables, [], async () => undefined);
    const outcome = outcomeOf(updateSuccessfulRecord({ ...KEY, job: JOB }));
    await began(1);
    t.mock.timers.tick(10_000);
    const failure = await outcome;
    assert.ok(failure instanceof ApplicationFailure);
    assert.equal(failure.message, 'DynamoDB did not answer: the answer did not end within 10 s');
    assert.deepEqual([failure.type, failure.nonRetryable], ['RecordWriteFailed', false]);
  });

  it('an answer that begins and does not end is given up when the caller cancels', async () => {
    on.proxy.decide = () => 'stall';
    const asked = new AbortController();
    const outcome = outcomeOf(findTwins(on.tables, KEY, 'endless', asked.signal));
    await began(1);
    asked.abort();
    assert.ok((await outcome) instanceof Error);
  });

  it('an answer that does not end, however fast it comes, is given up at 64 MiB', async () => {
    on.proxy.decide = () => 'flood';
    const said = serviceError(await outcomeOf(read()), { service: 'DynamoDB' });
    assert.match(said?.message ?? '', /^DynamoDB gave an answer that AWS does not give; .*: the answer is longer than/);
    assert.equal(said?.exitCode, 5);
  });
});
