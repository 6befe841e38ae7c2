import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedRequest, Simulate } from '../../dev/simulated-build-api/server.ts';
import {
  api,
  headersOf,
  json,
  poll,
  post,
  rawPost,
  until,
  url,
  useSimulatedBuildApi,
} from './simulated-build-api-fixture.ts';

useSimulatedBuildApi();

describe('a fault', () => {
  it('a fault delays the ordinary answer, while the request takes effect at once', async () => {
    const answer = json(post({ build_id: 'b', trigger: [{ delay_ms: 150 }] }));
    await until(() => api.builds().length >= 1);
    assert.equal(api.requests()[0]?.answered_at, null);
    assert.deepEqual(await answer, { status: 201, body: { build_id: 'b' } });
    const { at, answered_at } = api.requests()[0] as RecordedRequest;
    assert.ok((answered_at ?? 0) - at >= 145, `answered after ${(answered_at ?? 0) - at} ms`);
  });

  it('a fault sends a JSON body, unchanged text, and replaced headers', async () => {
    api.putFaults({
      trigger: [
        { body: null },
        { status: 502, text: '<html>bad gateway' },
        { text: '{"build_id": "b', headers: { 'Content-Type': 'application/json', 'Set-Cookie': ['a=1', 'b=2'] } },
        { status: 307, headers: { location: 'https://elsewhere.example/build' } },
        { status: 204 },
      ],
    });
    assert.deepEqual(await json(post()), { status: 201, body: null });
    const html = await post();
    assert.deepEqual(
      [html.status, html.headers.get('content-type'), await html.text()],
      [502, 'text/html', '<html>bad gateway'],
    );
    const truncated = await post();
    assert.equal(truncated.headers.get('content-type'), 'application/json');
    assert.deepEqual(truncated.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal(await truncated.text(), '{"build_id": "b');
    const redirect = await post();
    assert.deepEqual([redirect.status, redirect.headers.get('location')], [307, 'https://elsewhere.example/build']);
    const empty = await post();
    assert.deepEqual([empty.status, await empty.text()], [204, '']);
  });

  it('a fault with an error status makes no build and counts no poll, unless it says that it takes effect', async () => {
    const simulate: Simulate = {
      build_id: 'b',
      trigger: [{ status: 500 }, { status: 504, takes_effect: true }],
      status: [{ status: 500 }, { status: 502, takes_effect: true }],
    };
    await post(simulate);
    assert.deepEqual(api.builds(), []);
    assert.deepEqual(await json(post(simulate)), { status: 504, body: { message: 'Gateway Timeout' } });
    assert.equal(api.builds().length, 1);
    await poll('b');
    assert.equal(api.builds()[0]?.polls, 0);
    await poll('b');
    assert.equal(api.builds()[0]?.polls, 1);
    assert.equal((await json(poll('b'))).body['build_status'], 'SUCCEEDED');
  });

  it('a fault can keep a success from taking effect', async () => {
    assert.equal((await post({ trigger: [{ status: 201, body: {}, takes_effect: false }] })).status, 201);
    assert.deepEqual(api.builds(), []);
    assert.equal((await post({ trigger: [null, { status: 202, body: {} }] })).status, 202);
    assert.equal(api.builds().length, 1);
  });

  for (const bytes of [0, 1, 11, 12, 13, 65_536, 65_549, 3_000_000]) {
    it(`a fault sends a body of ${bytes} bytes, which is JSON if it is long enough`, async () => {
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        api.putFaults({ trigger: [{ bytes, headers }] });
        const answer = await post();
        assert.equal(answer.headers.has('content-length'), !('transfer-encoding' in headers));
        const body = await answer.text();
        assert.equal(body.length, bytes);
        if (bytes >= 13) assert.ok('filler' in (JSON.parse(body) as object));
      }
    });
  }

  it('a fault streams a huge body only as fast as it is read, and no further once the client is gone', async () => {
    api.putFaults({ trigger: [{ bytes: Number.MAX_SAFE_INTEGER }] });
    const connection = once(api.server, 'connection') as Promise<[net.Socket]>;
    const req = http.request(`${url}/build`, { method: 'POST', headers: headersOf('request-1') }).end('{}');
    const [socket] = await connection;
    const [res] = (await once(req, 'response')) as [http.IncomingMessage];
    res.on('error', () => undefined);
    let writtenBytes: number;
    do {
      writtenBytes = socket.bytesWritten;
      assert.ok(writtenBytes < 64 * 1024 * 1024, 'more than any socket buffers');
      await delay(50);
    } while (socket.bytesWritten !== writtenBytes);
    res.destroy();
    await until(() => socket.destroyed);
    assert.equal(api.requests()[0]?.answered_at, null);
    assert.equal(api.requests()[0]?.status, 201);
  });

  it('a fault drops the connection before the request is taken', async () => {
    const { received, err } = await rawPost({ trigger: [{ drop: 'before' }] });
    assert.deepEqual([received, err], ['', undefined]);
    assert.deepEqual(api.builds(), []);
    assert.deepEqual([api.requests()[0]?.status, api.requests()[0]?.answered_at], [null, null]);
    await assert.rejects(post({ trigger: [{ drop: 'before' }] }));
    assert.equal((await post({ trigger: [{ drop: 'before' }] })).status, 201);
  });

  it('a fault resets the connection after the request was taken', async () => {
    const { received, err } = await rawPost({
      build_id: 'b',
      trigger: [{ drop: 'after' }],
      status: [{ drop: 'after' }],
    });
    assert.deepEqual([received, err?.code], ['', 'ECONNRESET']);
    assert.equal(api.builds().length, 1);
    await assert.rejects(poll('b', 'raw'));
    assert.equal(api.builds()[0]?.polls, 1);
    assert.equal((await json(poll('b', 'raw'))).body['build_status'], 'SUCCEEDED');
  });

  it('a fault drops the connection in the middle of the body', async () => {
    const { received } = await rawPost({ build_id: 'b', trigger: [{ drop: 'mid-body' }] });
    const [head = '', body] = received.split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 201 Created\r\n/);
    assert.match(head, /content-length: 16/);
    assert.equal(body, '{"build_');
    assert.equal(api.builds().length, 1);
    assert.deepEqual([api.requests()[0]?.status, api.requests()[0]?.answered_at], [201, null]);

    api.putFaults({
      trigger: [
        { drop: 'mid-body', status: 503, text: '' },
        { drop: 'mid-body', bytes: 1_000_000 },
      ],
    });
    const empty = await rawPost({});
    assert.match(empty.received, /^HTTP\/1\.1 503 [^]*content-length: 1\r\n[^]*\r\n\r\n$/);
    const long = await rawPost({});
    assert.equal(long.received.split('\r\n\r\n')[1]?.length, 500_000);
  });

  it('a fault hangs until the client goes away', async () => {
    const client = new AbortController();
    const goneAway = assert.rejects(post({ build_id: 'b', trigger: [{ hang: true }] }, 'request-1', client.signal), {
      name: 'AbortError',
    });
    await until(() => api.builds().length >= 1);
    // Long enough for an answer, if one came.
    await delay(100);
    client.abort();
    await goneAway;
    assert.deepEqual([api.requests()[0]?.status, api.requests()[0]?.answered_at], [null, null]);
    assert.equal((await post()).status, 201);
  });
});
