import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall, DynamoDbFault } from '../support/dynamodb-proxy.ts';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

/** The faults of one build's calls of an operation on a table, in order; then none. */
interface Plan {
  operation: 'PutItem' | 'UpdateItem';
  table: string;
  faults: DynamoDbFault[];
}

describe('a build whose DynamoDB fails', { concurrency: 12 }, () => {
  let stack: TestStack;
  const plans = new Map<string, Plan>();

  before(async () => {
    stack = await startTestStack();
    stack.proxy.decide = ({ operation, request }: DynamoDbCall) => {
      const text = JSON.stringify(request);
      for (const [name, plan] of plans) {
        if (plan.operation === operation && plan.table === request.TableName && text.includes(`#${name}"`)) {
          return plan.faults.shift();
        }
      }
      return undefined;
    };
    await stack.startWorker();
  });
  after(() => stack.stop());

  const callsOf = (name: string, plan: Plan) =>
    stack.proxy
      .callsFor(`#${name}"`)
      .filter(({ operation, request }) => operation === plan.operation && request.TableName === plan.table);

  // One step of each kind with each fault. test/workflows has every step's retries, and test/records has repeated writes.
  for (const [step, operation, table, fault] of [
    ['upsert', 'PutItem', STATUS_TABLE_NAME, 'lose-answer'],
    ['insert', 'PutItem', HISTORY_TABLE_NAME, 'refuse'],
    ['last-history', 'UpdateItem', HISTORY_TABLE_NAME, 'throttle'],
  ] as const) {
    it(`a write (${step}) that fails twice with ${fault} succeeds at the third attempt, 3 s and 6 s later`, async () => {
      const name = `${step}-${fault}`;
      const plan: Plan = { operation, table, faults: [fault, fault] };
      plans.set(name, plan);
      const input = inputFor(stack, name, { polls: 0 });
      const { code, json, stderr } = await stack.build(input);
      assert.equal(code, 0, stderr);
      assert.equal(json['status'], 'COMPLETE');
      const at = callsOf(name, plan).map((call) => call.at);
      assert.equal(at.length, 3);
      const [first, second, third] = at as [number, number, number];
      assert.ok(second - first >= 2_900 && third - second >= 5_900, `${second - first}, ${third - second}`);
      const { status, history } = await stack.records(input);
      assert.equal(status?.['status']?.S, 'COMPLETE');
      assert.equal(history?.['status']?.S, 'COMPLETE');
      assert.equal(stack.buildApi.requests(input.correlation_id).length, 2);
    });
  }

  it('a status put that fails three times fails the build, with nothing written and no request to the build API', async () => {
    plans.set('upsert-out', {
      operation: 'PutItem',
      table: STATUS_TABLE_NAME,
      faults: ['throttle', 'throttle', 'throttle'],
    });
    const input = inputFor(stack, 'upsert-out');
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 1, stderr);
    assert.equal(json['status'], 'FAILED');
    assert.equal((json['error_info'] as { Error: string }).Error, 'RecordWriteFailed');
    assert.deepEqual(await stack.records(input), { status: undefined, history: undefined });
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
  });

  it('a status put whose answers were all lost ends FAILED in the record that it made, and in the history', async () => {
    plans.set('upsert-lost', {
      operation: 'PutItem',
      table: STATUS_TABLE_NAME,
      faults: ['lose-answer', 'lose-answer', 'lose-answer'],
    });
    const input = inputFor(stack, 'upsert-lost');
    const { json } = await stack.build(input);
    const { status, history } = await stack.records(input);
    assert.equal(status?.['status']?.S, 'FAILED');
    assert.equal(status?.['error_info']?.M?.['Error']?.S, 'RecordWriteFailed');
    assert.equal(status?.['job_id']?.S, json['job_id']);
    assert.equal(history?.['status']?.S, 'FAILED');
    assert.equal(history['job_id']?.S, json['job_id']);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
  });

  it('a status put that takes effect after the workflow gave it up leaves no record IN_PROGRESS', async () => {
    const input = inputFor(stack, 'upsert-late', { polls: 0 });
    plans.set('upsert-late', {
      operation: 'PutItem',
      table: STATUS_TABLE_NAME,
      faults: ['throttle', 'throttle', 'late'],
    });
    const { json } = await stack.build(input);
    assert.equal(json['status'], 'FAILED');
    const { status, history } = await stack.records(input);
    const seen = JSON.stringify({ error_info: json['error_info'], calls: stack.proxy.callsFor('#upsert-late"') });
    assert.equal(status?.['status']?.S, 'FAILED', seen);
    assert.equal(history?.['status']?.S, 'FAILED', seen);
  });

  it('a final record update that fails three times is tried again after 30 s, and status says what the build waits for', async () => {
    const plan: Plan = { operation: 'UpdateItem', table: STATUS_TABLE_NAME, faults: ['refuse', 'throttle', 'refuse'] };
    plans.set('never-given-up', plan);
    const input = inputFor(stack, 'never-given-up', { polls: 0 });
    const ended = stack.build(input);
    await until('three attempts were made', () => callsOf('never-given-up', plan).length >= 3);
    await until('status shows the wait', async () => {
      const { stdout } = await stack.cli(['status', '123456789012', 'iam_role#never-given-up', '--json']);
      const view = JSON.parse(stdout) as Record<string, unknown>;
      return (
        view['status'] === 'IN_PROGRESS' &&
        typeof view['next_attempt_at'] === 'string' &&
        view['step'] === 'UpdateSuccessfulRecord'
      );
    });
    const waiting = await stack.cli(['status', '123456789012', 'iam_role#never-given-up']);
    assert.match(
      waiting.stdout,
      /UpdateSuccessfulRecord +waiting +3 .*tried again in \d+s, DynamoDB did not answer: socket hang up/,
      waiting.stderr,
    );
    const { json, stderr } = await ended;
    assert.equal(json['status'], 'COMPLETE');
    assert.match(stderr, /^UpdateSuccessfulRecord failed \(attempt 3\): DynamoDB did not answer: socket hang up$/m);
    const at = callsOf('never-given-up', plan).map((call) => call.at);
    assert.equal(at.length, 4);
    assert.ok((at[3] ?? 0) - (at[2] ?? 0) >= 29_900);
  });

  it('a build does not replace a history record of another account or resource, and says whose request ID it is', async () => {
    const first = inputFor(stack, 'first-owner', { polls: 0 });
    await stack.build(first);
    const input = inputFor(stack, 'second-owner', {}, { correlation_id: first.correlation_id });
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 1, stderr);
    assert.match((json['error_info'] as { Cause: string }).Cause, /iam_role#first-owner/);
    const { status, history } = await stack.records(input);
    assert.equal(status?.['status']?.S, 'FAILED');
    assert.equal(history?.['resource']?.S, 'iam_role#first-owner');
    assert.equal(history?.['status']?.S, 'COMPLETE');
  });
});
