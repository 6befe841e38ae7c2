/** What the client sends to the build API. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  api,
  CALLS,
  clientOf,
  connections,
  CREDENTIAL,
  failureOf,
  get,
  post,
  request,
  url,
  useSimulatedBuildApi,
} from './client-fixture.ts';
import { sampleInput } from '../domain/sample-input.ts';

useSimulatedBuildApi();

describe('a request', () => {
  const transport = ['host', 'connection', 'content-length', 'accept-encoding'];
  const five = {
    authorization: 'jwt',
    'encrypted-authorization': CREDENTIAL,
    'content-type': 'application/json',
    referer: 'https://alb.example.com/proxy',
    'x-amzn-requestid': 'request-1',
  };

  for (const { name, call } of CALLS) {
    it(`a request ${name} has the state machine's five headers, each once, and no others but the transport's`, async () => {
      await call().catch(() => {});
      const [sent] = api.requests();
      const headers = (sent?.headers ?? []).map(([header, value]) => [header.toLowerCase(), value] as const);
      const ours = headers.filter(([header]) => !transport.includes(header));
      assert.equal(ours.length, 5);
      assert.deepEqual(Object.fromEntries(ours), five);
      assert.equal(new Set(headers.map(([header]) => header)).size, headers.length);
    });

    it(`a request ${name} asks for an answer that is not compressed`, async () => {
      await call().catch(() => {});
      const [sent] = api.requests();
      const asked = sent?.headers.filter(([header]) => header.toLowerCase() === 'accept-encoding');
      assert.deepEqual(
        asked?.map(([, value]) => value),
        ['identity'],
      );
    });
  }

  it('a request carries its ID in the header that BUILD_API_IDEMPOTENCY_HEADER names too, if it is a POST', async () => {
    const client = clientOf({ idempotencyHeader: 'Idempotency-Key' });
    const { build_id: buildId } = await post(client);
    await get(client, url, buildId);
    const [posted, polled] = api.requests().map(({ headers }) => new Map(headers));
    assert.equal(posted?.get('idempotency-key'), 'request-1');
    assert.equal(posted?.get('x-amzn-requestid'), 'request-1');
    assert.equal(polled?.get('idempotency-key'), undefined);
  });

  it('a request carries the longest allowed credential in full', async () => {
    const longest = 'c'.repeat(16_384);
    await clientOf().triggerBuild({ ...request(), encrypted_jwt: longest }, sampleInput().build_body);
    assert.equal(new Map(api.requests()[0]?.headers).get('encrypted-authorization'), longest);
  });

  it('a request has the build_body as its body, untouched', async () => {
    const text = `{"z":1,"account_id":"1","a":{"__proto__":[1.50,null,"\\u2028 ü😀 \\ud800"]},"simulate":{"build_id":"b"},"":""}`;
    const body = JSON.parse(text) as Record<string, unknown>;
    await post(clientOf(), url, body);
    assert.equal(api.requests()[0]?.body, JSON.stringify(body));
    assert.deepEqual(JSON.parse(api.requests()[0]?.body ?? ''), body);
  });

  it('a request GET has no body', async () => {
    await get().catch(() => {});
    const [sent] = api.requests();
    assert.equal(sent?.body, '');
    assert.ok(!sent.headers.some(([header]) => /^(content-length|transfer-encoding)$/i.test(header)));
  });

  for (const [buildId, segment] of [
    ['b-1', 'b-1'],
    ['a/b', 'a%2Fb'],
    ['../x', '..%2Fx'],
    ['../../_simulator/requests', '..%2F..%2F_simulator%2Frequests'],
    ['http://evil.example', 'http%3A%2F%2Fevil.example'],
    ['//evil.example', '%2F%2Fevil.example'],
    ['\\evil', '%5Cevil'],
    ['%2e%2e', '%252e%252e'],
    ['a?b#c;d', 'a%3Fb%23c%3Bd'],
    ['a b\r\nc', 'a%20b%0D%0Ac'],
    ['ü😀', '%C3%BC%F0%9F%98%80'],
    ['@evil.example:80', '%40evil.example%3A80'],
    ['{id}', '%7Bid%7D'],
  ] as const) {
    it(`a request has the build_id ${JSON.stringify(buildId)} as one path segment, to the same host`, async () => {
      await post(clientOf(), url, { simulate: { build_id: buildId, polls: 0 } });
      assert.deepEqual(await get(clientOf(), url, buildId), { can_retry: false, build_status: 'SUCCEEDED' });
      assert.equal(api.requests()[1]?.path, `/build/${segment}`);
    });
  }

  it("a request is sent below the url's own path", async () => {
    await post(clientOf(), `${url}/base/v1`).catch(() => {});
    await get(clientOf(), `${url}/base/v1`).catch(() => {});
    assert.deepEqual(
      api.requests().map(({ path }) => path),
      ['/base/v1/build', '/base/v1/build/b'],
    );
  });

  it('a request is sent once, whatever its result', async () => {
    api.putFaults({ trigger: [{ status: 503 }, { drop: 'after' }], status: [{ status: 503 }, { drop: 'after' }] });
    for (const { call } of CALLS) for (let n = 0; n < 2; n += 1) await failureOf(call());
    assert.equal(api.requests().length, 4);
  });

  it('a request uses a kept connection', async () => {
    const client = clientOf();
    const { build_id } = await post(client);
    for (let n = 0; n < 3; n += 1) await get(client, url, build_id);
    assert.equal(connections, 1);
  });
});

describe('a signal', () => {
  it('a signal aborts a GET under way, and its connection', async () => {
    api.putFaults({ status: [{ hang: true }] });
    const controller = new AbortController();
    const polled = get(clientOf(), url, 'b', controller.signal);
    while (api.requests().length === 0) await delay(10);
    const closed = new Promise<void>((resolve) => {
      api.server.getConnections((_, open) => assert.equal(open, 1));
      const look = setInterval(() => {
        api.server.getConnections((_, open) => {
          if (open > 0) return;
          clearInterval(look);
          resolve();
        });
      }, 10);
    });
    const reason = new Error('cancelled');
    controller.abort(reason);
    await assert.rejects(polled, (err) => err === reason);
    await closed;
  });

  it('a signal that was aborted before keeps a GET from being sent', async () => {
    await assert.rejects(get(clientOf(), url, 'b', AbortSignal.abort(new Error('cancelled'))), /cancelled/);
    assert.equal(connections, 0);
  });
});
