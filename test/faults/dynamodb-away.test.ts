/** Closes DynamoDB's port for half a minute during final record updates. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import { ACCOUNT, inputFor } from '../support/stack.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { eventually } from './patience.ts';
import { newReport, writeReport } from './report.ts';
import { hasScheduled } from './truth.ts';

const AWAY_MS = 30_000;
const ENDS = { COMPLETE: 'SUCCEEDED', FAILED: 'FAILED', CANCELLED: 'NEVER' } as const;
const report = newReport('dynamodb-away');

describe('while DynamoDB refuses connections for 30 s', () => {
  let stack: FaultStack;

  before(async () => {
    stack = await startFaultStack();
    await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    writeReport(report);
  });

  it('final record updates wait while DynamoDB is away, and are made once it is back; a build started meanwhile writes nothing', async () => {
    const builds = Object.entries(ENDS).flatMap(([end, outcome]) =>
      [1, 2, 3].map((n) => {
        const input = inputFor(stack, `${end}-${n}`, { polls: 1, outcome });
        return { end, input, ended: stack.follow(input) };
      }),
    );
    const isAsked = ({ correlation_id }: RoleBuildInput) => stack.buildApi.requests(correlation_id).length >= 2;
    await eventually('each was polled', () => builds.every(({ input }) => isAsked(input)));
    const isFinalUpdate = ({ operation }: DynamoDbCall) => operation === 'UpdateItem';
    await eventually('final record updates have begun', () => stack.proxy.calls.some(isFinalUpdate));
    const late = inputFor(stack, 'late');
    const lateEnded = stack.follow(late);
    const hasFailed = eventually('all attempts at its first put have failed', () =>
      hasScheduled(stack, late, 'updateFailedRecord'),
    );
    const back = stack.refuseDynamoDb(Promise.all([delay(AWAY_MS), hasFailed]));

    for (const { end, input } of builds) if (end === 'CANCELLED') await cancel(input);
    await back;
    const { status, error_info } = await lateEnded;
    assert.equal(status, 'FAILED');
    assert.equal((error_info as { Error: string }).Error, 'RecordWriteFailed');

    for (const { end, input, ended } of builds) await stack.assertEnd(input, end, await ended);
    assert.deepEqual(await stack.records(late), { status: undefined, history: undefined });
    assert.deepEqual(stack.buildApi.requests(late.correlation_id), []);
  });

  it('an outage of DynamoDB broke no promise', async () => {
    assert.deepEqual(await stack.conclude(report), []);
  });

  async function cancel({ ddb_composite_sort_key: resource }: RoleBuildInput): Promise<void> {
    const { code, stderr } = await stack.cli(['cancel', ACCOUNT, resource]);
    assert.equal(code, 0, stderr);
  }
});
