import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Client, type Connection } from '@temporalio/client';
import proto, { type temporal } from '@temporalio/proto';
import { call, openSession, type GrpcEndpoint } from '../../src/cli/quick-start/grpc-call.ts';
import { endpointOf } from '../../src/cli/quick-start/quick-start.ts';
import { decodeRunId, encodeStartRequest } from '../../src/cli/quick-start/start-request.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { sampleInput } from '../domain/sample-input.ts';

const { StartWorkflowExecutionRequest, StartWorkflowExecutionResponse } = proto.temporal.api.workflowservice.v1;

describe('the bare start request', () => {
  /** What Temporal's client would send for the same build. */
  async function requestOfClient(
    input = sampleInput(),
  ): Promise<temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest> {
    let sent: temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest | undefined;
    const workflowService = {
      startWorkflowExecution: (request: typeof sent) => {
        sent = request;
        return Promise.resolve({ runId: 'run' });
      },
    };
    const connection = { workflowService, plugins: [] } as unknown as Connection;
    const client = new Client({ connection, namespace: 'builds', identity: 'me@here' });
    await startRoleBuild(client, input, { taskQueue: 'queue', requestId: 'id-of-the-start' });
    assert.ok(sent);
    return sent;
  }

  const asJson = (bytes: Uint8Array) => {
    const json = StartWorkflowExecutionRequest.toObject(StartWorkflowExecutionRequest.decode(bytes), {
      bytes: String,
    }) as Record<string, unknown>;
    // The client sends an empty header.
    delete json['header'];
    return json;
  };

  for (const [what, input] of [
    ['an ordinary build', sampleInput()],
    ['a build with every key, and text beyond ASCII', everyKey()],
  ] as const) {
    it(`is what Temporal's client sends, for ${what}`, async () => {
      const request = {
        input,
        namespace: 'builds',
        taskQueue: 'queue',
        identity: 'me@here',
        requestId: 'id-of-the-start',
      };
      const ours = asJson(encodeStartRequest(request));
      const theirs = asJson(StartWorkflowExecutionRequest.encode(await requestOfClient(input)).finish());
      assert.deepEqual(ours, theirs);
      assert.ok(Object.keys(ours).length >= 10);
    });
  }

  it('is answered with a run ID', () => {
    const answer = (runId: string) =>
      Buffer.from(StartWorkflowExecutionResponse.encode({ runId, started: true }).finish());
    assert.equal(decodeRunId(answer('01a204ba-68f1-7219-af47-9112b0a36407')), '01a204ba-68f1-7219-af47-9112b0a36407');
    assert.throws(() => decodeRunId(answer('')), /without a run ID/);
    assert.throws(() => decodeRunId(Buffer.alloc(0)), /without a run ID/);
  });

  function everyKey() {
    const input = sampleInput();
    input.build_body['tags'] = { owner: 'Zoë', list: ['x'.repeat(300), 1.5, null] };
    input.build_body.dry_run = true;
    return {
      ...input,
      poll_interval_seconds: 1,
      poll_spread_seconds: 2,
      deadline_seconds: 3,
      requested_by: 'ä',
      take_over: true,
    };
  }
});

describe('where the bare call goes', () => {
  const options = (connectionOptions: object, namespace?: string) =>
    ({ connectionOptions, namespace }) as Parameters<typeof endpointOf>[1];

  it('follows the settings of Temporal: address, namespace, TLS, key, headers', () => {
    assert.deepEqual(endpointOf({}, options({})), {
      url: 'http://127.0.0.1:7233',
      tls: {},
      metadata: { 'temporal-namespace': 'default' },
    });
    const tls = {
      serverNameOverride: 'name',
      serverRootCACertificate: Buffer.from('ca'),
      clientCertPair: { crt: Buffer.from('crt'), key: Buffer.from('key') },
    };
    const given = { address: 'a.tmprl.cloud:7233', tls, apiKey: 'key', metadata: { extra: 'header' } };
    assert.deepEqual(endpointOf({}, options(given, 'ns')), {
      url: 'https://a.tmprl.cloud:7233',
      tls: { ca: Buffer.from('ca'), cert: Buffer.from('crt'), key: Buffer.from('key'), servername: 'name' },
      metadata: { extra: 'header', 'temporal-namespace': 'ns', authorization: 'Bearer key', ':authority': 'name' },
    });
  });

  it("leaves to Temporal's client what it can't do", () => {
    for (const given of [
      { address: 'dns:///a:1' },
      { tls: { other: 1 } },
      { proxy: {} },
      { metadata: { a: Buffer.of(1) } },
    ]) {
      assert.equal(endpointOf({}, options(given)), undefined, JSON.stringify(given));
    }
    assert.equal(endpointOf({}, options({ apiKey: 'key', metadata: { Authorization: 'other' } })), undefined);
    assert.equal(endpointOf({ grpc_proxy: 'http://proxy:3128' }, options({})), undefined);
    for (const name of ['GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', 'GRPC_SSL_CIPHER_SUITES']) {
      assert.equal(endpointOf({ [name]: 'x' }, options({ tls: true })), undefined, name);
      assert.notEqual(endpointOf({ [name]: 'x' }, options({})), undefined, name);
    }
    // Neither goes through these.
    assert.notEqual(endpointOf({ HTTPS_PROXY: 'http://proxy:3128', https_proxy: 'x' }, options({})), undefined);
  });

  it('sends an API key over TLS, unless TLS is switched off', () => {
    const urlOf = (given: object) => endpointOf({}, options({ address: 'a:1', apiKey: 'key', ...given }))?.url;
    assert.equal(urlOf({}), 'https://a:1');
    assert.equal(urlOf({ tls: null }), 'https://a:1');
    assert.equal(urlOf({ tls: true }), 'https://a:1');
    assert.equal(urlOf({ tls: false }), 'http://a:1');
  });
});

describe('the bare call', () => {
  async function serve(t: TestContext, answer: (stream: ServerHttp2Stream) => void): Promise<GrpcEndpoint> {
    const server: Http2Server = createServer();
    server.on('stream', (stream) => answer(stream.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      tls: {},
      metadata: { extra: 'header' },
    };
  }

  async function ask(endpoint: GrpcEndpoint, timeoutMs = 2_000): Promise<Buffer> {
    const session = await openSession(endpoint, timeoutMs);
    try {
      return await call(session, endpoint, '/a.B/C', Buffer.from('request'), timeoutMs);
    } finally {
      session.destroy();
    }
  }

  it('sends one frame and reads one', async (t) => {
    const endpoint = await serve(t, (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('data', (frame: Buffer) => stream.end(frame));
    });
    assert.equal((await ask(endpoint)).toString(), 'request');
  });

  it('fails where it is refused, cut off, not answered, or nobody is there', async (t) => {
    const refused = await serve(t, (stream) => stream.respond({ 'grpc-status': '6' }, { endStream: true }));
    await assert.rejects(ask(refused), /gRPC status 6/);
    const cut = await serve(t, (stream) => stream.close(2));
    await assert.rejects(ask(cut));
    const plain = await serve(t, (stream) => stream.respond({ ':status': 502 }, { endStream: true }));
    await assert.rejects(ask(plain), /broke off/);
    const silent = await serve(t, () => undefined);
    await assert.rejects(ask(silent, 200), /no answer within 200 ms/);
    await assert.rejects(ask({ ...silent, url: 'http://127.0.0.1:9' }), /ECONNREFUSED/);
  });
});
