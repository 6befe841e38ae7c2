/** Slow faults of DynamoDB: late answers, late writes, continued throttling. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall, DynamoDbFault } from '../support/dynamodb-proxy.ts';
import { inputFor } from '../support/stack.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { eventually } from './patience.ts';
import { newReport, writeReport } from './report.ts';

/** The long form reaches the second, longer wait of a final record update. */
const THROTTLED_ATTEMPTS = process.env['FAULTS_MINUTES'] === undefined ? 4 : 7;

const STEPS = [
  ['upsert', 'PutItem', STATUS_TABLE_NAME],
  ['insert', 'PutItem', HISTORY_TABLE_NAME],
  ['last-record', 'UpdateItem', STATUS_TABLE_NAME],
  ['last-history', 'UpdateItem', HISTORY_TABLE_NAME],
] as const;

const report = newReport('dynamodb-slow');

describe('however slow DynamoDB is, both records tell how the build ended', () => {
  let stack: FaultStack;
  const plans = new Map<string, { operation: string; table: string; faults: DynamoDbFault[] }>();

  before(async () => {
    stack = await startFaultStack();
    stack.proxy.decide = (call) => {
      const plan = [...plans].find(([name, { operation, table }]) => isOf(call, name, operation, table));
      return plan?.[1].faults.shift();
    };
    await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    writeReport(report);
  });

  describe('answers', { concurrency: 16 }, () => {
    for (const [fault, what] of [
      ['hang', 'nothing was written'],
      ['hang-after', 'it took effect'],
      ['stall', 'it had begun, and nothing was written'],
    ] as const) {
      for (const [step, operation, table] of STEPS) {
        it(`a write (${step}) that is not answered within 10 s is retried; ${what}`, async () => {
          const name = `${step}-${fault}`;
          plans.set(name, { operation, table, faults: [fault] });
          const input = inputFor(stack, name, { polls: 0 });
          await stack.assertEnd(input, 'COMPLETE', await stack.run(input));
          assert.ok(callsOf(name, operation, table).length > 1);
        });
      }
    }

    for (const [step, operation, table] of STEPS) {
      it(`a write (${step}) that arrives after its next attempt changes nothing`, async () => {
        const name = `${step}-late`;
        plans.set(name, { operation, table, faults: ['late'] });
        const input = inputFor(stack, name, { polls: 0 });
        const json = await stack.run(input);
        await eventually('it has arrived', () => callsOf(name, operation, table)[0]?.answer !== undefined);
        await stack.assertEnd(input, 'COMPLETE', json);
      });
    }

    it(`a final record update throttled ${THROTTLED_ATTEMPTS} times is still made`, async () => {
      const throttled = Array.from({ length: THROTTLED_ATTEMPTS }, () => 'throttle' as const);
      plans.set('throttled', { operation: 'UpdateItem', table: HISTORY_TABLE_NAME, faults: throttled });
      const input = inputFor(stack, 'throttled', { polls: 0, outcome: 'FAILED' });
      await stack.assertEnd(input, 'FAILED', await stack.run(input));
      assert.equal(callsOf('throttled', 'UpdateItem', HISTORY_TABLE_NAME).length, THROTTLED_ATTEMPTS + 1);
    });
  });

  it('a slow DynamoDB broke no promise', async () => {
    assert.deepEqual(await stack.conclude(report), []);
  });

  const callsOf = (name: string, operation: string, table: string) =>
    stack.proxy.calls.filter((call) => isOf(call, name, operation, table));
});

function isOf({ operation, request }: DynamoDbCall, name: string, ofOperation: string, table: string): boolean {
  return operation === ofOperation && request.TableName === table && JSON.stringify(request).includes(`#${name}"`);
}
