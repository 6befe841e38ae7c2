import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import { freePort } from '../../dev/servers/ports.ts';
import { createTables } from '../../src/records/create-tables.ts';
import type { RecordTables } from '../../src/records/write.ts';
import { raw, tables, useDynamoDb } from './tables-fixture.ts';

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
      { name: own.historyTable, created: true },
    ]);
    assert.deepEqual(await describeTable(own.statusTable), {
      keys: ['account_id HASH', 'resource RANGE'],
      attributes: new Set(['account_id S', 'resource S']),
      billing: 'PAY_PER_REQUEST',
      state: 'ACTIVE',
    });
    assert.deepEqual(await describeTable(own.historyTable), {
      keys: ['request_id HASH'],
      attributes: new Set(['request_id S']),
      billing: 'PAY_PER_REQUEST',
      state: 'ACTIVE',
    });
  });

  test('can be repeated, and makes what is missing', async () => {
    await makeTable(own.statusTable, [
      ['account_id', 'S'],
      ['resource', 'S'],
    ]);
    const second = [
      { name: own.statusTable, created: false },
      { name: own.historyTable, created: true },
    ];
    assert.deepEqual(await createTables(raw, own), second);
    const third = second.map((table) => ({ ...table, created: false }));
    assert.deepEqual(await createTables(raw, own), third);
  });

  test('can run twice at the same time', async () => {
    await Promise.all([createTables(raw, own), createTables(raw, own)]);
    assert.equal((await describeTable(own.historyTable)).state, 'ACTIVE');
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
