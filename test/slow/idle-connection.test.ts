import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { clientOf, connections, post, useSimulatedBuildApi } from '../build-api/client-fixture.ts';
import { answerYes, secureApi, tunnelProxy, useAuthority } from '../build-api/proxies.ts';

useSimulatedBuildApi();
useAuthority();

it('a request goes over a new connection once the kept one has been idle so long that a server may close it', async () => {
  const client = clientOf();
  await post(client);
  await delay(4_500);
  await post(client);
  assert.equal(connections, 2);
});

it("a proxy's tunnel may take longer than a connection may be idle", async (t) => {
  const api = await secureApi(t, answerYes);
  const proxy = await tunnelProxy(t, undefined, 4_500);
  assert.deepEqual(await post(clientOf({ origins: [api.url], proxy: proxy.url, timeoutMs: 60_000 }), api.url), {
    build_id: 'b-1',
  });
});
