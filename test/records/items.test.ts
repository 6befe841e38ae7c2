/** Reads of many items, whatever is in them, and their retries. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it, type TestContext } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { isKey, itemOf, itemsOf, pagesOf, type RecordTables } from '../../src/records/items.ts';
import { startDynamoDbProxy, type DynamoDbProxy } from '../support/dynamodb-proxy.ts';
import { raw, server, tables, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

const idOf = (n: number) => `request-${String(n).padStart(3, '0')}`;
const put = (Item: Item) => raw.send(new PutItemCommand({ TableName: tables.historyTable, Item }));
const place = (n: number) => put({ request_id: { S: idOf(n) }, status: { S: 'FAILED' }, resource: { S: 'r' } });

/** The tables, behind a proxy that records each call. */
async function behindProxy(t: TestContext): Promise<{ through: RecordTables; proxy: DynamoDbProxy }> {
  const proxy = await startDynamoDbProxy(server.endpoint);
  const client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: proxy.endpoint, maxAttempts: 1 }));
  t.after(async () => {
    client.destroy();
    await proxy.stop();
  });
  return { through: { ...tables, client }, proxy };
}

/**
 * A scripted client that answers the calls in order. Mocked timers are advanced by hand.
 *
 * @returns the wait before each call but the first, to 100 ms
 */
async function waitsOf(t: TestContext, answers: object[], read: (from: RecordTables) => Promise<unknown>) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  // For modules that import a timer by name.
  syncBuiltinESMExports();
  let calls = 0;
  const send = () => {
    const answer = answers[calls];
    calls += 1;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const reading = read({ ...tables, client: { send } as unknown as RecordTables['client'] });
  reading.catch(() => undefined);
  const waits: number[] = [];
  for (let seen = 1; seen < answers.length; seen += 1) {
    let ms = 0;
    for (; ; ms += 100) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (calls > seen || ms > 60_000) break;
      t.mock.timers.tick(100);
    }
    waits.push(ms);
  }
  t.mock.timers.reset();
  syncBuiltinESMExports();
  return { waits, reading };
}

describe('the pages of a table', () => {
  it('the pages of a table hold all items, no more than asked for at once, with the attributes asked for', async (t) => {
    await Promise.all([1, 2, 3, 4, 5].map(place));
    const { through, proxy } = await behindProxy(t);
    const pages = await Array.fromAsync(pagesOf(through, 'history', ['request_id', 'status'], 2));
    assert.deepEqual(
      pages.map((page) => page.length),
      [2, 2, 1],
    );
    assert.deepEqual(
      new Set(pages.flat()),
      new Set([1, 2, 3, 4, 5].map((n) => ({ request_id: idOf(n), status: 'FAILED' }))),
    );
    assert.equal(proxy.calls.length, 3);
  });
});

describe('the items of keys', () => {
  const keys = Array.from({ length: 101 }, (_, n) => ({ request_id: idOf(n) }));
  const find = (from: RecordTables, ...more: [options?: { consistent?: boolean }]) =>
    itemsOf(from, 'history', [...keys, ...keys, { request_id: '' }, { request_id: 7 }], ['request_id'], ...more);

  it('the items of keys are found in their order, a hundred keys in a call, and each key once', async (t) => {
    await Promise.all([0, 100].map(place));
    const { through, proxy } = await behindProxy(t);
    for (const consistent of [undefined, true, false]) {
      proxy.calls.length = 0;
      const found = await find(through, ...(consistent === undefined ? [] : [{ consistent }]));
      const [first, last] = [{ request_id: idOf(0) }, { request_id: idOf(100) }];
      assert.equal(found.length, 2 * keys.length + 2);
      assert.deepEqual(
        [0, 50, 100, 101, 201].map((i) => found[i]),
        [first, undefined, last, first, last],
      );
      assert.deepEqual(found.slice(-2), [undefined, undefined]);
      const asked = proxy.calls.map(
        ({ request }) =>
          (request['RequestItems'] as Record<string, { Keys: unknown[]; ConsistentRead: boolean }>)[
            tables.historyTable
          ],
      );
      assert.deepEqual(
        asked.map((wanted) => [wanted?.Keys.length, wanted?.ConsistentRead]),
        [
          [100, consistent === true],
          [1, consistent === true],
        ],
      );
    }
  });

  it('the items of keys are asked for again if DynamoDB leaves them out, each time later, up to 5 s', async (t) => {
    const left = (count: number) => ({
      UnprocessedKeys: {
        [tables.historyTable]: { Keys: keys.slice(0, count).map(({ request_id: S }) => ({ request_id: { S } })) },
      },
    });
    const read = (from: RecordTables) => find(from);
    const long = await waitsOf(t, [{}, ...Array(7).fill(left(1)), {}], read);
    assert.deepEqual(long.waits, [0, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    await long.reading;
    const again = await waitsOf(t, [left(100), {}, left(1), {}], read);
    assert.deepEqual(again.waits, [200, 0, 200]);
    await again.reading;
  });
});

describe('a read', () => {
  const read = (from: RecordTables) => itemOf(from, 'history', { request_id: idOf(0) });

  it('a read that is throttled is tried again, each time later, and given up after four attempts', async (t) => {
    const throttled = new Error('slow');
    const { waits, reading } = await waitsOf(t, [throttled, throttled, throttled, { Item: { n: { N: '1' } } }], read);
    assert.deepEqual(waits, [200, 400, 800]);
    assert.deepEqual(await reading, { n: 1 });
    const given = await waitsOf(t, [throttled, throttled, throttled, throttled], read);
    await assert.rejects(given.reading, throttled);
  });

  it('a read sees what was written a moment ago', async (t) => {
    await place(0);
    const { through, proxy } = await behindProxy(t);
    assert.equal((await read(through))?.['request_id'], idOf(0));
    assert.equal(proxy.calls[0]?.request['ConsistentRead'], true);
  });

  it('a read is not tried again after an error that waiting does not cure', async (t) => {
    const { through, proxy } = await behindProxy(t);
    for (const name of [
      'ResourceNotFoundException',
      'ValidationException',
      'AccessDeniedException',
      'UnrecognizedClientException',
      'InvalidSignatureException',
      'CredentialsProviderError',
    ]) {
      proxy.calls.length = 0;
      proxy.answer = () => ({ status: 400, body: { __type: `x#${name}`, message: 'no' } });
      await assert.rejects(read(through), { name });
      assert.equal(proxy.calls.length, 1, name);
    }
  });

  it('a read by an impossible key finds nothing, and sends no request', async (t) => {
    const { through, proxy } = await behindProxy(t);
    assert.equal(await itemOf(through, 'status', { account_id: '1', resource: '' }), undefined);
    assert.equal(proxy.calls.length, 0);
  });

  it("a read returns plain values, and keeps what JavaScript can't hold as DynamoDB has it", async () => {
    await put({
      request_id: { S: 'odd' },
      text: { S: '' },
      yes: { BOOL: true },
      no: { BOOL: false },
      number: { N: '-1.5' },
      large: { N: '12345678901234567890' },
      nothing: { NULL: true },
      list: { L: [{ S: 'a' }, { L: [{ N: '1' }] }] },
      map: { M: { deep: { M: { bytes: { B: Buffer.from('ab') } } } } },
      bytes: { BS: [Buffer.from('ab')] },
      texts: { SS: ['a'] },
    });
    assert.deepEqual(await itemOf(tables, 'history', { request_id: 'odd' }), {
      request_id: 'odd',
      text: '',
      yes: true,
      no: false,
      number: -1.5,
      large: { N: '12345678901234567890' },
      nothing: null,
      list: ['a', [1]],
      map: { deep: { bytes: { B: 'YWI=' } } },
      bytes: { BS: ['YWI='] },
      texts: { SS: ['a'] },
    });
  });
});

describe('a key', () => {
  it('a key has all of its parts, none of them empty or longer than DynamoDB allows', () => {
    const key = { account_id: 'x'.repeat(2_048), resource: 'ü'.repeat(512) };
    assert.ok(isKey('status', key));
    assert.ok(isKey('history', { request_id: 'x'.repeat(2_048) }));
    for (const more of [
      { account_id: 'x'.repeat(2_049) },
      { resource: `${key.resource}x` },
      { account_id: '' },
      { resource: undefined },
      { account_id: 123456789012 },
    ]) {
      assert.ok(!isKey('status', { ...key, ...more }), JSON.stringify(more).slice(0, 40));
    }
  });
});
