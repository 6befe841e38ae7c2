/** How the index is added to an existing table. dynalite can't add one, so the service's answers are scripted. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { DynamoDBClient, type TableDescription } from '@aws-sdk/client-dynamodb';
import { addHistoryIndex, hasHistoryIndex } from '../../src/records/history-index.ts';
import { HISTORY_INDEX_NAME } from '../../src/records/names.ts';
import { startDynamoDbProxy } from '../support/dynamodb-proxy.ts';

const TABLE = 'history-records';
const KEYS = ['account_id', 'start_at'];

/** The description of a table while it has the index. */
const withIndex = (IndexStatus?: string, keys = KEYS) => ({
  GlobalSecondaryIndexes: [
    { IndexName: 'another' },
    { IndexName: HISTORY_INDEX_NAME, IndexStatus, KeySchema: keys.map((AttributeName) => ({ AttributeName })) },
  ],
});

/** @param descriptions in order, the last one repeated @param refusal the error of the update */
async function service(t: TestContext, descriptions: object[], refusal?: string) {
  const proxy = await startDynamoDbProxy('http://127.0.0.1:1');
  proxy.answer = ({ operation }) => {
    if (operation === 'DescribeTable') {
      const [Table] = descriptions.length > 1 ? descriptions.splice(0, 1) : descriptions;
      return { status: 200, body: { Table } };
    }
    if (refusal === undefined) return { status: 200, body: {} };
    return { status: 400, body: { __type: `com.amazonaws.dynamodb.v20120810#${refusal}`, message: 'why' } };
  };
  const client = new DynamoDBClient({
    endpoint: proxy.endpoint,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });
  t.after(async () => {
    client.destroy();
    await proxy.stop();
  });
  return {
    client,
    calls: proxy.calls,
    updates: () => proxy.calls.filter(({ operation }) => operation === 'UpdateTable').map(({ request }) => request),
  };
}

/** How much later each reading of the clock is than the one before. */
function hurry(t: TestContext, ms: number): void {
  let now = 0;
  t.mock.method(performance, 'now', () => (now += ms));
}

const COULD_NOT = { name: HISTORY_INDEX_NAME, created: false, status: 'MISSING' };
const ADDED = { name: HISTORY_INDEX_NAME, created: true, status: 'ACTIVE' };

const Create = {
  IndexName: HISTORY_INDEX_NAME,
  KeySchema: [
    { AttributeName: 'account_id', KeyType: 'HASH' },
    { AttributeName: 'start_at', KeyType: 'RANGE' },
  ],
  Projection: { ProjectionType: 'ALL' },
};

describe('the index of a table that lacks it', () => {
  it('the index of a table that lacks it is added with its keys, and waited for', async (t) => {
    const { client, calls, updates } = await service(t, [{}, {}, withIndex('CREATING'), withIndex('ACTIVE')]);
    assert.deepEqual(await addHistoryIndex(client, TABLE, false), ADDED);
    assert.deepEqual(updates(), [
      {
        TableName: TABLE,
        AttributeDefinitions: KEYS.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        GlobalSecondaryIndexUpdates: [{ Create }],
      },
    ]);
    // The first look, the update, and three looks half a second apart.
    assert.equal(calls.length, 5);
    assert.ok((calls[4]?.at ?? 0) - (calls[2]?.at ?? 0) >= 950);
  });

  const provisioned = { ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 7 } };
  const onDemand = { BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' } } as const;
  const none = { ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 } };
  for (const [what, table, more] of [
    ['provisioned if the table is', provisioned, provisioned],
    ['on demand if the table is', { ...onDemand, ...none }, {}],
    ['on demand if the table is, whatever units it is said to have', { ...onDemand, ...provisioned }, {}],
    ['on demand if the table has no units', none, {}],
  ] as const satisfies [string, TableDescription, object][]) {
    it(`the index of a table that lacks it is ${what}`, async (t) => {
      const { client, updates } = await service(t, [table, withIndex()]);
      assert.deepEqual(await addHistoryIndex(client, TABLE, false), ADDED);
      assert.deepEqual(updates()[0]?.['GlobalSecondaryIndexUpdates'], [{ Create: { ...Create, ...more } }]);
    });
  }

  for (const name of ['AccessDeniedException', 'ValidationException']) {
    it(`the index of a table that lacks it may be refused with ${name}`, async (t) => {
      const { client } = await service(t, [{}, withIndex()], name);
      assert.deepEqual(await addHistoryIndex(client, TABLE, false), { ...COULD_NOT, reason: 'why' });
    });
  }

  for (const name of ['ResourceInUseException', 'LimitExceededException']) {
    it(`the index of a table that lacks it is waited for if somebody else is adding it, as ${name} says`, async (t) => {
      const { client } = await service(t, [{}, withIndex()], name);
      assert.deepEqual(await addHistoryIndex(client, TABLE, false), ADDED);
    });
  }

  it('the index of a table that lacks it is not waited for after another failure', async (t) => {
    const { client } = await service(t, [{}, withIndex()], 'InternalServerError');
    await assert.rejects(addHistoryIndex(client, TABLE, false), { name: 'InternalServerError' });
  });

  for (const [what, refusal, reason] of [
    ['accepted', undefined, 'it was accepted, and is not there'],
    ["somebody else's", 'ResourceInUseException', 'why'],
  ] as const) {
    it(`the index of a table that lacks it is given up after some seconds if it is ${what} and does not show`, async (t) => {
      hurry(t, 2_600);
      const { client, calls } = await service(t, [{}], refusal);
      assert.deepEqual(await addHistoryIndex(client, TABLE, false), { ...COULD_NOT, reason });
      assert.equal(calls.length, 4);
    });
  }

  it('the index of a table that lacks it is left to fill in the background if that takes long', async (t) => {
    hurry(t, 301_000);
    const { client, calls } = await service(t, [{}, withIndex('CREATING')]);
    assert.deepEqual(await addHistoryIndex(client, TABLE, false), { ...ADDED, status: 'CREATING' });
    assert.equal(calls.length, 4);
  });
});

describe('the index of a table that has it', () => {
  const mismatch = {
    name: 'KeyMismatchError',
    message: 'index account_id-start_at has the key account_id, not account_id + start_at',
  };

  it('the index of a table that has it is found', async (t) => {
    const { client } = await service(t, [{}, withIndex('CREATING'), withIndex('ACTIVE', ['account_id'])]);
    assert.equal(await hasHistoryIndex(client, TABLE), false);
    assert.equal(await hasHistoryIndex(client, TABLE), true);
    await assert.rejects(hasHistoryIndex(client, TABLE), mismatch);
  });

  it('the index of a table that has it is left as it is, and refused with other keys', async (t) => {
    const { client, updates } = await service(t, [withIndex(), withIndex(), withIndex('ACTIVE', ['account_id'])]);
    assert.deepEqual(await addHistoryIndex(client, TABLE, false), { ...ADDED, created: false });
    await assert.rejects(addHistoryIndex(client, TABLE, false), mismatch);
    assert.deepEqual(updates(), []);
  });
});
