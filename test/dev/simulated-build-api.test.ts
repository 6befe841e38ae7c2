import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { Build, RecordedRequest } from '../../dev/simulated-build-api/server.ts';
import { api, headersOf, json, poll, post, until, url, useSimulatedBuildApi } from './simulated-build-api-fixture.ts';

useSimulatedBuildApi();

describe('an ordinary build', () => {
  it('an ordinary build is undecided at the first poll and succeeds at the second', async () => {
    const made = await json(post());
    assert.equal(made.status, 201);
    const build_id = made.body['build_id'] as string;
    assert.ok(build_id.length > 0);
    assert.deepEqual(await json(poll(build_id)), {
      status: 200,
      body: { build_id, build_status: 'IN_PROGRESS', can_retry: true },
    });
    for (let after = 0; after < 2; after += 1) {
      assert.deepEqual(await json(poll(build_id)), {
        status: 200,
        body: { build_id, build_status: 'SUCCEEDED', can_retry: false },
      });
    }
  });

  it('an ordinary build is made once for each request ID', async () => {
    const first = await json(post());
    assert.deepEqual(await json(post({ outcome: 'FAILED', build_id: 'other' })), first);
    const [third, fourth] = await Promise.all([json(post({}, 'request-2')), json(post({}, 'request-2'))]);
    assert.deepEqual(third, fourth);
    assert.notDeepEqual(third, first);
    assert.deepEqual(
      api.builds().map(({ correlation_id, outcome }) => [correlation_id, outcome]),
      [
        ['request-1', 'SUCCEEDED'],
        ['request-2', 'SUCCEEDED'],
      ],
    );
  });

  it('an ordinary build is not found under an unknown ID', async () => {
    assert.deepEqual(await json(poll('nobody')), { status: 404, body: { message: 'no such build' } });
  });
});

describe('the contract', () => {
  for (const [name, value, message] of [
    ['authorization', undefined, 'Authorization is missing'],
    ['authorization', 'Bearer x', 'Authorization must be the literal jwt'],
    ['encrypted-authorization', undefined, 'Encrypted-Authorization is missing'],
    ['encrypted-authorization', '', 'Encrypted-Authorization must not be empty'],
    ['content-type', 'text/plain', 'Content-Type must be application/json'],
    ['referer', 'https://alb.example/', 'Referer must end in /proxy'],
    ['x-amzn-requestid', undefined, 'x-amzn-RequestId is missing'],
  ] as const) {
    it(`the contract refuses a POST and a GET: ${message}${value === undefined ? '' : `, with "${value}"`}`, async () => {
      const headers = headersOf('request-1', { [name]: value });
      const expected = { status: 400, body: { message: `bad headers: ${message}` } };
      assert.deepEqual(await json(fetch(`${url}/build`, { method: 'POST', headers, body: '{}' })), expected);
      assert.deepEqual(await json(fetch(`${url}/build/1`, { headers })), expected);
      assert.deepEqual(api.builds(), []);
    });
  }

  it('the contract reports all bad headers together, including one that was sent twice', async () => {
    const req = http.request(`${url}/build`, { method: 'POST' });
    for (const [name, value] of Object.entries(headersOf('request-1', { referer: undefined }))) {
      req.setHeader(name, name === 'authorization' ? ['jwt', 'jwt'] : value);
    }
    req.end('{}');
    const [res] = (await once(req, 'response')) as [http.IncomingMessage];
    const body = (await res.setEncoding('utf8').toArray()).join('');
    assert.equal(body, '{"message":"bad headers: Authorization was sent 2 times; Referer is missing"}');
  });

  for (const [body, message] of [
    ['{"build_type"', 'the body is not JSON'],
    ['', 'the body is not JSON'],
    ['[]', 'the body is not a JSON object'],
    ['null', 'the body is not a JSON object'],
  ] as const) {
    it(`the contract refuses the body ${JSON.stringify(body)}`, async () => {
      const answer = fetch(`${url}/build`, { method: 'POST', headers: headersOf('request-1'), body });
      assert.deepEqual(await json(answer), { status: 400, body: { message } });
    });
  }

  it('the contract refuses other paths and methods', async () => {
    assert.equal((await fetch(`${url}/builds`)).status, 404);
    assert.equal((await fetch(`${url}/build/1/2`)).status, 404);
    assert.equal((await fetch(`${url}/build/%ff`, { headers: headersOf('request-1') })).status, 400);
    const get = await fetch(`${url}/build`);
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
    assert.equal((await fetch(`${url}/_simulator/nothing`)).status, 404);
  });
});

describe('the records', () => {
  it('the records list every request in order, or only those of one request ID', async () => {
    await post({ build_id: 'b', trigger: [{ status: 503 }] });
    await post({ build_id: 'b' });
    await poll('b', 'request-2');
    await fetch(`${url}/else/where?a=1`);
    const answer = await fetch(`${url}/_simulator/requests`);
    const records = (await answer.json()) as RecordedRequest[];
    assert.deepEqual(records, api.requests());
    assert.deepEqual(
      records.map(({ n, method, path, fault, status }) => [n, method, path, fault, status]),
      [
        [1, 'POST', '/build', { status: 503 }, 503],
        [2, 'POST', '/build', null, 201],
        [3, 'GET', '/build/b', null, 200],
        [4, 'GET', '/else/where?a=1', null, 404],
      ],
    );
    assert.equal(records[0]?.body, '{"build_type":"iam_role","simulate":{"build_id":"b","trigger":[{"status":503}]}}');
    for (const { at, answered_at } of records) assert.ok(answered_at !== null && answered_at >= at);
    const own = (await (
      await fetch(`${url}/_simulator/requests?correlation_id=request-2`)
    ).json()) as RecordedRequest[];
    assert.deepEqual(own, [records[2]]);
    assert.deepEqual(api.requests('request-2'), own);

    assert.equal((await fetch(`${url}/_simulator/requests`, { method: 'DELETE' })).status, 204);
    assert.deepEqual(api.requests(), []);
  });

  it('the records keep the spelling and order of headers, the credential, and the raw path', async () => {
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /build/a%2fb HTTP/1.1\r\nhost: x\r\nX-B: 1\r\nEncrypted-Authorization: secret\r\nx-b: 2\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    const [record] = api.requests();
    assert.equal(record?.path, '/build/a%2fb');
    assert.deepEqual(record?.headers, [
      ['host', 'x'],
      ['X-B', '1'],
      ['Encrypted-Authorization', 'secret'],
      ['x-b', '2'],
    ]);
    assert.equal(record?.status, 400);
  });

  it('the records include a request whose client disconnected in the middle of its body', async () => {
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('POST /build HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"half"');
    await until(() => api.requests()[0]?.body === '{"half"');
    socket.destroy();
    assert.equal((await post()).status, 201);
    assert.equal(api.requests()[0]?.status, null);
  });

  it('the records list the builds made', async () => {
    await post({ build_id: 7, outcome: 'FAILED' });
    await poll('7');
    const builds = (await (await fetch(`${url}/_simulator/builds`)).json()) as Build[];
    assert.deepEqual(builds, [{ build_id: 7, correlation_id: 'request-1', polls: 1, outcome: 'FAILED' }]);
  });
});
