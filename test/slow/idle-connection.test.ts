import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openRecordTables, reachTables } from '../../src/records/dynamodb.ts';
import { clientOf, connections, post, useSimulatedBuildApi } from '../build-api/client-fixture.ts';
import { answerYes, secureApi, tunnelProxy, useAuthority } from '../build-api/proxies.ts';
import { setEnvironment } from '../support/environment.ts';

useSimulatedBuildApi();
useAuthority();

it('a request uses a new connection if the kept one has been idle so long that the server may close it', async () => {
  const client = clientOf();
  await post(client);
  await delay(4_500);
  await post(client);
  assert.equal(connections, 2);
});

it('a call to DynamoDB uses a new connection then too', async (t) => {
  const server = createServer((_, response) => response.end('{}'));
  server.keepAliveTimeout = 60_000;
  let count = 0;
  server.on('connection', () => (count += 1));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const restore = setEnvironment({
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
  const tables = openRecordTables({ statusTable: 'status-records', historyTable: 'history-records' });
  t.after(() => {
    tables.client.destroy();
    server.close();
    restore();
  });
  await reachTables(tables);
  assert.equal(count, 2);
  await reachTables(tables);
  assert.equal(count, 2);
  await delay(4_500);
  await reachTables(tables);
  assert.equal(count, 4);
});

it("opening a proxy's tunnel may take longer than the limit for idle connections", async (t) => {
  const api = await secureApi(t, answerYes);
  const proxy = await tunnelProxy(t, undefined, 4_500);
  assert.deepEqual(await post(clientOf({ origins: [api.url], proxy: proxy.url, timeoutMs: 60_000 }), api.url), {
    build_id: 'b-1',
  });
});
