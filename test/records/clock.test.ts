import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { useDynamoDb, useDynamoDbProxy } from '../support/tables.ts';

useDynamoDb();

describe('a clock that is ten minutes off DynamoDB’s', () => {
  const on = useDynamoDbProxy();

  const put = (request_id: string) =>
    on.tables.client.send(
      new PutCommand({
        TableName: on.tables.historyTable,
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
      on.proxy.calls.length = 0;
      on.proxy.clockAheadMs = aheadMs;
      const request_id = `request${aheadMs}`;
      await put(request_id);
      assert.equal(on.proxy.calls.length, 2);
      // A request that is refused for another reason is not sent again, although the clock is still off.
      await assert.rejects(put(request_id), { name: 'ConditionalCheckFailedException' });
      assert.equal(on.proxy.calls.length, 3);
      const { Item } = await on.tables.client.send(
        new GetCommand({ TableName: on.tables.historyTable, Key: { request_id } }),
      );
      assert.deepEqual(Item, { request_id });
      assert.equal(on.proxy.calls.length, 4);
    });
  }

  for (const name of ['SignatureDoesNotMatch', 'RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture']) {
    it(`a clock that is ten minutes off DynamoDB’s is told by ${name} as well`, async () => {
      on.proxy.answer = () => undefined;
      on.proxy.clockAheadMs = -600_000;
      await put(`before ${name}`);
      // Within the proxy's own tolerance.
      on.proxy.clockAheadMs = -590_000;
      let answers = 0;
      on.proxy.answer = () => ((answers += 1) === 1 ? refused(name) : undefined);
      await put(name);
      assert.equal(answers, 2);
    });
  }

  it('a clock that is ten minutes off DynamoDB’s is no reason to send a request a third time, nor twice if the clock is right', async () => {
    on.proxy.answer = () => refused('InvalidSignatureException');
    for (const [aheadMs, calls] of [
      [-580_000, 2],
      [0, 1],
      [0, 1],
    ] as const) {
      on.proxy.calls.length = 0;
      on.proxy.clockAheadMs = aheadMs;
      await assert.rejects(put('refused'), { name: 'InvalidSignatureException' });
      assert.equal(on.proxy.calls.length, calls);
    }
  });
});
