/** What a refused conditional write reports about the record in its way. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { openRecordTables } from '../../src/records/dynamodb.ts';
import type { RecordTables } from '../../src/records/items.ts';
import { endStatusRecord, putStatusRecord } from '../../src/records/status-table.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { startDynamoDbProxy, type DynamoDbProxy } from '../support/dynamodb-proxy.ts';
import { JOB, NEWER, raw, server, tables, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

const KEY: Item = { account_id: { S: '123456789012' }, resource: { S: 'iam_role#written' } };
const INPUT = { ...sampleInput(), ddb_composite_sort_key: 'iam_role#written' };
const holder = (job_id: string): Item => ({
  ...KEY,
  job_id: { S: job_id },
  start_at: { S: NEWER.start_at },
  status: { S: 'IN_PROGRESS' },
  serial: { N: '12345678901234567890' },
});

describe('a write that is refused', () => {
  it('a write that is refused reports the record that is there', async () => {
    await raw.send(new PutItemCommand({ TableName: tables.statusTable, Item: holder('in-the-way') }));
    const result = await putStatusRecord(tables, INPUT, JOB);
    assert.ok(!result.written);
    const { odd_attributes, ...found } = result.found ?? {};
    assert.deepEqual(found, {
      account_id: '123456789012',
      resource: 'iam_role#written',
      job_id: 'in-the-way',
      start_at: NEWER.start_at,
      status: 'IN_PROGRESS',
      serial: { N: '12345678901234567890' },
    });
    assert.equal(odd_attributes?.['action'], 'action is missing');
  });

  it('a write that is refused reports that there is no record', async () => {
    const key = { account_id: '123456789012', resource: 'nothing' };
    assert.deepEqual(await endStatusRecord(tables, key, JOB, { status: 'COMPLETE' }), {
      written: false,
      found: undefined,
    });
  });

  describe('with the item that the service returns', () => {
    let proxy: DynamoDbProxy;
    let through: RecordTables;
    before(async () => {
      proxy = await startDynamoDbProxy(server.endpoint);
      // The client reads this with its first call.
      process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint;
      through = openRecordTables({ statusTable: tables.statusTable, historyTable: tables.historyTable });
    });
    after(async () => {
      process.env['AWS_ENDPOINT_URL_DYNAMODB'] = server.endpoint;
      through.client.destroy();
      await proxy.stop();
    });

    it('a write that is refused with the item that the service returns reports that item, and not what is there a moment later', async () => {
      await raw.send(new PutItemCommand({ TableName: tables.statusTable, Item: holder('a-moment-later') }));
      proxy.answer = ({ operation, request }) => {
        if (operation !== 'PutItem' && operation !== 'UpdateItem') return undefined;
        assert.equal(request['ReturnValuesOnConditionCheckFailure'], 'ALL_OLD');
        const __type = 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException';
        return { status: 400, body: { __type, message: 'The conditional request failed', Item: holder('refused-it') } };
      };
      const key = { account_id: '123456789012', resource: 'iam_role#written' };
      for (const result of [
        await putStatusRecord(through, INPUT, JOB),
        await endStatusRecord(through, key, JOB, { status: 'COMPLETE' }),
      ]) {
        assert.ok(!result.written);
        assert.equal(result.found?.job_id, 'refused-it');
      }
      assert.deepEqual(
        proxy.calls.map(({ operation }) => operation),
        ['PutItem', 'UpdateItem'],
      );
    });
  });
});
