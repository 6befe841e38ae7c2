import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { openRecordTables } from '../../src/records/dynamodb.ts';
import type { RecordTables } from '../../src/records/items.ts';
import { startDynamoDbProxy, type DynamoDbProxy } from '../support/dynamodb-proxy.ts';
import { server, useDynamoDb } from '../support/tables.ts';

useDynamoDb();

describe('a clock that is ten minutes off DynamoDB’s', () => {
  let proxy: DynamoDbProxy;
  let own: RecordTables;
  before(async () => {
    proxy = await startDynamoDbProxy(server.endpoint);
    process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint;
    own = openRecordTables({ statusTable: 'status-records', historyTable: 'history-records' });
  });
  after(async () => {
    own.client.destroy();
    await proxy.stop();
  });

  const put = (request_id: string) =>
    own.client.send(
      new PutCommand({
        TableName: own.historyTable,
        Item: { request_id },
        ConditionExpression: 'attribute_not_exists(request_id)',
      }),
    );

  const refused = (name: string) => ({
    status: 400,
    body: { __type: `com.amazon.coral.service#${name}`, message: 'Signature expired' },
  });

  for (const aheadMs of [600_000, -600_000]) {
    it(`a clock that is ten minutes off DynamoDB’s by ${aheadMs} ms costs the first call a second request, and no other`, async () => {
      proxy.calls.length = 0;
      proxy.clockAheadMs = aheadMs;
      const request_id = `request${aheadMs}`;
      await put(request_id);
      assert.equal(proxy.calls.length, 2);
      // What is refused for another reason is refused at once, though the clock is off still.
      await assert.rejects(put(request_id), { name: 'ConditionalCheckFailedException' });
      assert.equal(proxy.calls.length, 3);
      const { Item } = await own.client.send(new GetCommand({ TableName: own.historyTable, Key: { request_id } }));
      assert.deepEqual(Item, { request_id });
      assert.equal(proxy.calls.length, 4);
    });
  }

  for (const name of ['SignatureDoesNotMatch', 'RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture']) {
    it(`a clock that is ten minutes off DynamoDB’s is told by ${name} as well`, async () => {
      proxy.answer = () => undefined;
      proxy.clockAheadMs = -600_000;
      await put(`before ${name}`);
      // So near that the proxy itself takes what is signed.
      proxy.clockAheadMs = -590_000;
      let answers = 0;
      proxy.answer = () => ((answers += 1) === 1 ? refused(name) : undefined);
      await put(name);
      assert.equal(answers, 2);
    });
  }

  it('a clock that is ten minutes off DynamoDB’s is no reason to send a request a third time, nor twice if the clock is right', async () => {
    proxy.answer = () => refused('InvalidSignatureException');
    for (const [aheadMs, calls] of [
      [-580_000, 2],
      [0, 1],
      [0, 1],
    ] as const) {
      proxy.calls.length = 0;
      proxy.clockAheadMs = aheadMs;
      await assert.rejects(put('refused'), { name: 'InvalidSignatureException' });
      assert.equal(proxy.calls.length, calls);
    }
  });
});
