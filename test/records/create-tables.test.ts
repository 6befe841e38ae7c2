import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import { freePort } from '../../dev/servers/ports.ts';
import { createTables } from '../../src/records/create-tables.ts';
import { queryHistory } from '../../src/records/history-table.ts';
import { HISTORY_INDEX_NAME } from '../../src/records/names.ts';
import type { RecordTables } from '../../src/records/write.ts';
import { OLDER, raw, server, tables, useDynamoDb } from './tables-fixture.ts';

useDynamoDb({ createTables: false });

/** Names of each test's own. */
let own: RecordTables;
let count = 0;
beforeEach(() => {
  count += 1;
  own = { ...tables, statusTable: `status-${count}`, historyTable: `history-${count}` };
});

async function describeTable(TableName: string) {
  const { Table } = await raw.send(new DescribeTableCommand({ TableName }));
  return {
    keys: Table?.KeySchema?.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`),
    attributes: new Set(
      Table?.AttributeDefinitions?.map(({ AttributeName, AttributeType }) => `${AttributeName} ${AttributeType}`),
    ),
    billing: Table?.BillingModeSummary?.BillingMode,
    state: Table?.TableStatus,
  };
}

function makeTable(TableName: string, keys: [name: string, type: 'S' | 'N'][]): Promise<unknown> {
  const definition: CreateTableCommandInput = {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: keys.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: keys.map(([AttributeName], index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
  };
  return raw.send(new CreateTableCommand(definition));
}

describe('createTables', () => {
  test("makes both tables with the original's keys, ready for use", async () => {
    assert.deepEqual(await createTables(raw, own), [
      { name: own.statusTable, created: true },
      { name: own.historyTable, created: true, index: { name: HISTORY_INDEX_NAME, created: true, status: 'ACTIVE' } },
    ]);
    assert.deepEqual(await describeTable(own.statusTable), {
      keys: ['account_id HASH', 'resource RANGE'],
      attributes: new Set(['account_id S', 'resource S']),
      billing: 'PAY_PER_REQUEST',
      state: 'ACTIVE',
    });
    assert.deepEqual(await describeTable(own.historyTable), {
      keys: ['request_id HASH'],
      attributes: new Set(['request_id S', 'account_id S', 'start_at S']),
      billing: 'PAY_PER_REQUEST',
      state: 'ACTIVE',
    });
  });

  test('can be repeated, and makes what is missing', async () => {
    await makeTable(own.statusTable, [
      ['account_id', 'S'],
      ['resource', 'S'],
    ]);
    const made = (created: boolean) => [
      { name: own.statusTable, created: false },
      { name: own.historyTable, created, index: { name: HISTORY_INDEX_NAME, created, status: 'ACTIVE' } },
    ];
    assert.deepEqual(await createTables(raw, own), made(true));
    assert.deepEqual(await createTables(raw, own), made(false));
  });

  test('can run twice at the same time', async () => {
    await Promise.all([createTables(raw, own), createTables(raw, own)]);
    assert.equal((await describeTable(own.historyTable)).state, 'ACTIVE');
  });

  test("adds the index to a history table that lacks it, as the original's, and keeps its items", async () => {
    await makeTable(own.historyTable, [['request_id', 'S']]);
    const Item = { request_id: { S: 'r' }, account_id: { S: '123456789012' }, start_at: { S: OLDER.start_at } };
    await raw.send(new PutItemCommand({ TableName: own.historyTable, Item }));
    const [, history] = await createTables(raw, own);
    assert.equal(history?.created, false);
    if (server.kind === 'dynalite') {
      // It adds no index to a table that is there; all but `history` goes on without.
      assert.equal(history.index?.status, 'MISSING');
      assert.match(history.index.reason ?? '', /provisionedThroughput/);
      return;
    }
    assert.deepEqual(history.index, { name: HISTORY_INDEX_NAME, created: true, status: 'ACTIVE' });
    const { records } = await queryHistory(own, '123456789012', {});
    assert.deepEqual(
      records.map(({ request_id }) => request_id),
      ['r'],
    );
  });

  test('refuses an index of that name with other keys', async () => {
    await raw.send(
      new CreateTableCommand({
        TableName: own.historyTable,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: ['request_id', 'account_id'].map((AttributeName) => ({
          AttributeName,
          AttributeType: 'S',
        })),
        KeySchema: [{ AttributeName: 'request_id', KeyType: 'HASH' }],
        GlobalSecondaryIndexes: [
          {
            IndexName: HISTORY_INDEX_NAME,
            KeySchema: [{ AttributeName: 'account_id', KeyType: 'HASH' }],
            Projection: { ProjectionType: 'ALL' },
          },
        ],
      }),
    );
    await assert.rejects(createTables(raw, own), /index account_id-start_at has the key account_id, not/);
  });

  for (const [what, keys] of [
    ['another key', [['id', 'S']]],
    ['no sort key', [['account_id', 'S']]],
    [
      'its keys swapped',
      [
        ['resource', 'S'],
        ['account_id', 'S'],
      ],
    ],
    [
      'keys of another type',
      [
        ['account_id', 'N'],
        ['resource', 'S'],
      ],
    ],
  ] as [string, [string, 'S' | 'N'][]][]) {
    test(`refuses a table that has ${what}, and says so`, async () => {
      await makeTable(own.statusTable, keys);
      await assert.rejects(createTables(raw, own), (err: Error) => {
        assert.match(
          err.message,
          new RegExp(`table ${own.statusTable} has the key .*${keys[0]?.[0]}.*, not .*account_id.*resource`),
        );
        return true;
      });
    });
  }

  test('fails where DynamoDB can not be reached', async (t) => {
    const nowhere = new DynamoDBClient({ endpoint: `http://127.0.0.1:${await freePort()}`, maxAttempts: 1 });
    t.after(() => nowhere.destroy());
    await assert.rejects(createTables(nowhere, own), /ECONNREFUSED/);
  });
});
