import assert from 'node:assert/strict';
import { beforeEach, describe, it, type TestContext } from 'node:test';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  type CreateTableCommandInput,
} from '@aws-sdk/client-dynamodb';
import { freePort } from '../../dev/servers/ports.ts';
import { createTables, type TableSetUp } from '../../src/records/create-tables.ts';
import { queryHistory } from '../../src/records/history-table.ts';
import { HISTORY_INDEX_NAME } from '../../src/records/names.ts';
import type { RecordTables } from '../../src/records/items.ts';
import { startDynamoDbProxy, type DynamoDbCall, type DynamoDbProxy } from '../support/dynamodb-proxy.ts';
import { OLDER, raw, server, tables, useDynamoDb } from '../support/tables.ts';

useDynamoDb({ createTables: false });

/** Table names for one test. */
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

/** Everything but the protection of the tables. */
function summary(tablesSetUp: Awaited<ReturnType<typeof createTables>>): Omit<TableSetUp, 'protection'>[] {
  return tablesSetUp.map(({ name, created, index }) => ({ name, created, ...(index === undefined ? {} : { index }) }));
}

describe('createTables', () => {
  it("createTables makes both tables with the state machine's keys, ready for use", async () => {
    assert.deepEqual(summary(await createTables(raw, own)), [
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

  it('createTables can be repeated, and creates what is missing', async () => {
    await makeTable(own.statusTable, [
      ['account_id', 'S'],
      ['resource', 'S'],
    ]);
    const made = (created: boolean) => [
      { name: own.statusTable, created: false },
      { name: own.historyTable, created, index: { name: HISTORY_INDEX_NAME, created, status: 'ACTIVE' } },
    ];
    assert.deepEqual(summary(await createTables(raw, own)), made(true));
    assert.deepEqual(summary(await createTables(raw, own)), made(false));
  });

  it('createTables can run twice at the same time', async () => {
    await Promise.all([createTables(raw, own), createTables(raw, own)]);
    assert.equal((await describeTable(own.historyTable)).state, 'ACTIVE');
  });

  it("createTables adds the index to a history table that lacks it, such as the state machine's, and keeps the items", async () => {
    await makeTable(own.historyTable, [['request_id', 'S']]);
    const Item = { request_id: { S: 'r' }, account_id: { S: '123456789012' }, start_at: { S: OLDER.start_at } };
    await raw.send(new PutItemCommand({ TableName: own.historyTable, Item }));
    const [, history] = await createTables(raw, own);
    assert.equal(history?.created, false);
    if (server.kind === 'dynalite') {
      // dynalite adds no index to an existing table. Only `history` needs it.
      assert.equal(history.index?.status, 'MISSING');
      assert.match(history.index.reason ?? '', /provisionedThroughput/);
      return;
    }
    assert.deepEqual(history.index, { name: HISTORY_INDEX_NAME, created: true, status: 'ACTIVE' });
    const { requests } = await queryHistory(own, '123456789012', {});
    assert.deepEqual(
      requests.map(({ record }) => record.request_id),
      ['r'],
    );
  });

  it('createTables refuses an index of that name with other keys', async () => {
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
    it(`createTables refuses a table that has ${what}, and says so`, async () => {
      await makeTable(own.statusTable, keys);
      const found = keys.map(([name, type], i) => `${name} (${i === 0 ? 'HASH' : 'RANGE'}, ${type})`).join(' + ');
      await assert.rejects(createTables(raw, own), {
        name: 'KeyMismatchError',
        message: `table ${own.statusTable} has the key ${found}, not account_id (HASH, S) + resource (RANGE, S)`,
      });
    });
  }

  it("createTables fails if it can't reach DynamoDB", async (t) => {
    const nowhere = new DynamoDBClient({ endpoint: `http://127.0.0.1:${await freePort()}`, maxAttempts: 1 });
    t.after(() => nowhere.destroy());
    await assert.rejects(createTables(nowhere, own), /ECONNREFUSED/);
  });
});

const exception = (name: string) => ({
  status: 400,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: name },
});

async function behindProxy(t: TestContext): Promise<{ client: DynamoDBClient; proxy: DynamoDbProxy }> {
  const proxy = await startDynamoDbProxy(server.endpoint);
  const client = new DynamoDBClient({ endpoint: proxy.endpoint, maxAttempts: 1 });
  t.after(async () => {
    client.destroy();
    await proxy.stop();
  });
  return { client, proxy };
}

const KEYS: [string, 'S'][] = [
  ['account_id', 'S'],
  ['resource', 'S'],
];
/** The description of the status table. */
const KEYED = {
  KeySchema: KEYS.map(([AttributeName], i) => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' })),
  AttributeDefinitions: KEYS.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
};

describe('a table that is not ready yet', () => {
  const WAIT = ['DescribeTable', 'DescribeTable'];
  const PROTECTION = ['DescribeTable', 'DescribeContinuousBackups'];
  for (const [what, isThere, looks, calls] of [
    ['was there', true, ['CREATING', 'CREATING'], ['DescribeTable', ...WAIT, ...PROTECTION]],
    [
      'is made now',
      false,
      ['as it is', 'CREATING'],
      ['DescribeTable', 'CreateTable', ...WAIT, 'UpdateContinuousBackups', ...PROTECTION],
    ],
    [
      'was made by somebody else meanwhile',
      true,
      ['missing', 'CREATING'],
      ['DescribeTable', 'CreateTable', ...WAIT, ...PROTECTION],
    ],
  ] as const) {
    it(`a table that is not ready yet is waited for if it ${what}`, async (t) => {
      if (isThere) await makeTable(own.statusTable, KEYS);
      const { client, proxy } = await behindProxy(t);
      const left: string[] = [...looks];
      proxy.answer = ({ operation, request: { TableName } }) => {
        const look = TableName === own.statusTable && operation === 'DescribeTable' ? left.shift() : undefined;
        if (look === 'CREATING') return { status: 200, body: { Table: { TableStatus: look, ...KEYED } } };
        return look === 'missing' ? exception('ResourceNotFoundException') : undefined;
      };
      const began = performance.now();
      await createTables(client, own);
      const ofStatus = proxy.calls.filter(({ request }) => request.TableName === own.statusTable);
      assert.deepEqual(
        ofStatus.map(({ operation }) => operation),
        calls,
      );
      // The SDK itself would look again after 20 s.
      assert.ok(performance.now() - began < 15_000);
    });
  }
});

it('a set-up that is refused ends at once with the reason', async (t) => {
  const { client, proxy } = await behindProxy(t);
  for (const refused of ['DescribeTable', 'CreateTable', 'DescribeContinuousBackups']) {
    proxy.calls.length = 0;
    proxy.answer = ({ operation }) => (operation === refused ? exception('InternalServerError') : undefined);
    await assert.rejects(createTables(client, own), { name: 'InternalServerError' });
    assert.equal(proxy.calls.at(-1)?.operation, refused);
  }
});

describe('protection of a table', () => {
  /** What the service has and stand-ins for DynamoDB lack: continuous backups and deletion protection. */
  async function withBackups(
    t: TestContext,
    refusals: { update?: string[]; describe?: string } = {},
  ): Promise<{ client: DynamoDBClient; calls: DynamoDbCall[] }> {
    const { client, proxy } = await behindProxy(t);
    const recovered = new Set<string>();
    proxy.answer = ({ operation, request: { TableName } }) => {
      const status = (name: string) => ({
        status: 200,
        body: { ContinuousBackupsDescription: { PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: name } } },
      });
      if (operation === 'UpdateContinuousBackups') {
        const refusal = refusals.update?.shift();
        if (refusal !== undefined) return exception(refusal);
        recovered.add(TableName);
        return status('ENABLED');
      }
      if (operation !== 'DescribeContinuousBackups') return undefined;
      if (refusals.describe !== undefined) return exception(refusals.describe);
      return status(recovered.has(TableName) ? 'ENABLED' : 'DISABLED');
    };
    return { client, calls: proxy.calls };
  }

  it('protection of a table is requested when the table is created, and waited for until it is ready', async (t) => {
    const { client, calls } = await withBackups(t, { update: ['ContinuousBackupsUnavailableException'] });
    const done = await createTables(client, own);
    for (const { protection } of done) {
      assert.equal(protection.point_in_time_recovery, true);
      assert.equal(protection.encryption, 'AWS owned key');
    }
    for (const { operation, request } of calls) {
      if (operation === 'CreateTable') assert.equal(request['DeletionProtectionEnabled'], true);
      if (operation === 'UpdateContinuousBackups') {
        assert.deepEqual(request['PointInTimeRecoverySpecification'], { PointInTimeRecoveryEnabled: true });
      }
    }
    const updates = calls.filter(({ operation }) => operation === 'UpdateContinuousBackups');
    assert.deepEqual(
      updates.map(({ request }) => request.TableName),
      [own.statusTable, own.statusTable, own.historyTable],
    );
    // A timer may fire a moment early.
    assert.ok((updates[1]?.at ?? 0) - (updates[0]?.at ?? 0) >= 950);
  });

  it('protection of a table that is created is tried again after an error of the service', async (t) => {
    const { client } = await withBackups(t, { update: ['ThrottlingException'] });
    for (const { protection } of await createTables(client, own)) {
      assert.equal(protection.point_in_time_recovery, true);
    }
  });

  it('protection of a table that exists is reported and left as it is', async (t) => {
    await createTables(raw, own);
    const { client, calls } = await withBackups(t);
    for (const { created, protection } of await createTables(client, own)) {
      assert.equal(created, false);
      assert.equal(protection.point_in_time_recovery, false);
    }
    assert.deepEqual([...new Set(calls.map(({ operation }) => operation))].sort(), [
      'DescribeContinuousBackups',
      'DescribeTable',
    ]);
  });

  it('protection of a table is unknown if the endpoint does not have it or does not let us look', async (t) => {
    for (const { protection } of await createTables(raw, own)) {
      assert.equal(protection.point_in_time_recovery, null);
      assert.equal(protection.encryption, null);
    }
    const { client } = await withBackups(t, { describe: 'AccessDeniedException' });
    for (const { protection } of await createTables(client, own)) {
      assert.equal(protection.point_in_time_recovery, null);
    }
  });

  it('protection of a table fails the set-up if it is refused or not ready within a minute', async (t) => {
    const { client } = await withBackups(t, {
      update: ['AccessDeniedException', 'ContinuousBackupsUnavailableException'],
    });
    await assert.rejects(createTables(client, own), { name: 'AccessDeniedException' });
    let now = 0;
    t.mock.method(performance, 'now', () => (now += 61_000));
    await assert.rejects(createTables(client, { ...own, statusTable: `${own.statusTable}-2` }), {
      name: 'ContinuousBackupsUnavailableException',
    });
  });

  it('protection of a table includes the KMS key if there is one', async (t) => {
    await createTables(raw, own);
    const { client, proxy } = await behindProxy(t);
    proxy.answer = ({ operation, request: { TableName } }) => {
      if (operation === 'DescribeContinuousBackups') return { status: 200, body: {} };
      if (TableName !== own.statusTable) return undefined;
      const Table = { TableStatus: 'ACTIVE', ...KEYED, SSEDescription: { SSEType: 'KMS' } };
      return { status: 200, body: { Table } };
    };
    const [status, history] = await createTables(client, own);
    assert.equal(status?.protection.encryption, 'KMS key');
    assert.equal(history?.protection.encryption, 'AWS owned key');
  });
});
