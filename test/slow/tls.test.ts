/** TLS as docs/deployment.md sets it up: to Temporal, with certificates for both sides, and to the build API. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { after, before, describe, it } from 'node:test';
import type { Fault } from '../../dev/simulated-build-api/server.ts';
import { createAuthority, type Certificate } from '../../dev/servers/certificates.ts';
import { inputFor, parseJson, startTestStack, type TestStack } from '../support/stack.ts';

/** Terminates TLS before a server that has none, as a load balancer does, and requires a client certificate. */
async function startTlsProxy(
  target: string,
  { server, clientAuthority }: { server: Certificate; clientAuthority: string },
): Promise<{ port: number; clients: string[]; stop(): Promise<void> }> {
  const [host, port] = target.split(':') as [string, string];
  const clients: string[] = [];
  const sockets = new Set<net.Socket>();
  const options = {
    ...server,
    ca: clientAuthority,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ['h2'],
  };
  const proxy = tls.createServer(options, (client) => {
    clients.push(String(client.getPeerCertificate().subject.CN));
    const behind = net.connect({ host, port: Number(port) });
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [client, behind].forEach((one) => void one.destroy()));
    }
    client.pipe(behind).pipe(client);
  });
  proxy.on('tlsClientError', () => {});
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    clients,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

describe('TLS', { concurrency: 3 }, () => {
  let folder: string;
  let stack: TestStack;
  let proxy: Awaited<ReturnType<typeof startTlsProxy>>;
  let buildApi: https.Server;
  let buildApiUrl: string;
  /** The certificates of both sides, as an operator sets them. */
  let mutual: Record<string, string>;
  const file = (name: string) => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tls-'));
    const [ours, theirs, others] = ['Our CA', 'Their CA', 'Another CA'].map(createAuthority) as [
      ReturnType<typeof createAuthority>,
      ReturnType<typeof createAuthority>,
      ReturnType<typeof createAuthority>,
    ];
    const worker = ours.issue('iam-orchestrator');
    const stranger = others.issue('iam-orchestrator');
    for (const [name, text] of Object.entries({
      'temporal-ca.pem': theirs.cert,
      'other-ca.pem': others.cert,
      'client.pem': worker.cert,
      'client.key': worker.key,
      'stranger.pem': stranger.cert,
      'stranger.key': stranger.key,
      'build-api-ca.pem': ours.cert,
    })) {
      await writeFile(file(name), text, { mode: 0o600 });
    }

    stack = await startTestStack();
    const server = theirs.issue('temporal', ['temporal.internal.example']);
    proxy = await startTlsProxy(stack.temporal.address, { server, clientAuthority: ours.cert });
    const { key, cert } = ours.issue('builds', ['127.0.0.1']);
    buildApi = https.createServer({ key, cert }, (request, response) => {
      stack.buildApi.server.emit('request', request, response);
    });
    buildApi.listen(0, '127.0.0.1');
    await once(buildApi, 'listening');
    buildApiUrl = `https://127.0.0.1:${(buildApi.address() as AddressInfo).port}`;
    mutual = {
      TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}`,
      TEMPORAL_TLS: 'true',
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: file('temporal-ca.pem'),
      TEMPORAL_TLS_SERVER_NAME: 'temporal.internal.example',
      TEMPORAL_TLS_CLIENT_CERT_PATH: file('client.pem'),
      TEMPORAL_TLS_CLIENT_KEY_PATH: file('client.key'),
    };
  });
  after(async () => {
    await stack.stop();
    await proxy.stop();
    buildApi.close();
    buildApi.closeAllConnections();
    await rm(folder, { recursive: true });
  });

  it('TLS with certificates for both sides carries a build from worker and command line to its end', async () => {
    const settings = { ...mutual, ROLE_BUILD_TASK_QUEUE: 'mutual' };
    const worker = await stack.startWorker({ settings });
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], {
      settings,
      stdin: JSON.stringify(inputFor(stack, 'mutual', { polls: 0 })),
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(parseJson(result)['status'], 'COMPLETE');
    assert.ok(proxy.clients.length >= 2);
    assert.deepEqual(new Set(proxy.clients), new Set(['iam-orchestrator']));
    await worker.stop();
  });

  const TRIED_WITH_A_WORKER = ['a server whose authority is not trusted', 'no certificate of ours'];
  const broken: Record<string, () => Record<string, string>> = {
    'a server whose authority is not trusted': () => ({
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: file('other-ca.pem'),
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    }),
    'a server of another name': () => ({ TEMPORAL_TLS_SERVER_NAME: 'temporal.evil.example' }),
    'no certificate of ours': () => ({ TEMPORAL_TLS_CLIENT_CERT_PATH: '', TEMPORAL_TLS_CLIENT_KEY_PATH: '' }),
    'a certificate of ours that the server does not know': () => ({
      TEMPORAL_TLS_CLIENT_CERT_PATH: file('stranger.pem'),
      TEMPORAL_TLS_CLIENT_KEY_PATH: file('stranger.key'),
    }),
    'no TLS at all': () => ({ TEMPORAL_TLS: 'false' }),
  };
  for (const [what, change] of Object.entries(broken)) {
    it(`a client with ${what} is refused`, async () => {
      const settings = Object.fromEntries(
        Object.entries({ ...mutual, ...change() }).filter(([, value]) => value !== ''),
      );
      for (const args of [
        ['status', '123456789012', 'x'],
        ['start', '--input', '-'],
      ]) {
        const stdin = JSON.stringify(inputFor(stack, 'let-through'));
        const { code, stderr } = await stack.cli(args, { settings, stdin });
        assert.equal(code, 5, stderr);
        assert.match(stderr, /Temporal can't be reached at 127\.0\.0\.1:/);
      }
      // The worker has its own TLS, in Rust. It is tried only once, since a worker takes long to start.
      if (!TRIED_WITH_A_WORKER.includes(what)) return;
      await assert.rejects(stack.startWorker({ settings }), /the worker did not start/);
    });
  }

  it('a POST over TLS through a proxy that is taken and not answered has an unknown outcome', async (t) => {
    const tunnels = new Set<net.Socket>();
    const tunnelling = http.createServer().on('connect', ({ url = '' }, client: net.Socket) => {
      const behind = net.connect(Number(url.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(behind).pipe(client);
      });
      for (const socket of [client, behind]) tunnels.add(socket.on('error', () => {}));
    });
    tunnelling.listen(0, '127.0.0.1');
    await once(tunnelling, 'listening');
    t.after(() => {
      tunnelling.close();
      for (const socket of tunnels) socket.destroy();
    });
    const settings = { ROLE_BUILD_TASK_QUEUE: 'tunnelled', BUILD_API_ALLOWED_ORIGINS: buildApiUrl };
    const worker = await stack.startWorker({
      settings: {
        ...settings,
        NODE_EXTRA_CA_CERTS: file('build-api-ca.pem'),
        // Also covers the tunnel and TLS on a busy machine.
        BUILD_API_TIMEOUT_SECONDS: '5',
        BUILD_API_PROXY: `http://127.0.0.1:${(tunnelling.address() as AddressInfo).port}`,
      },
    });
    const trigger: Fault[] = Array.from({ length: 3 }, () => ({ hang: true }));
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], {
      settings,
      stdin: JSON.stringify(inputFor(stack, 'tunnelled', { trigger }, { url: buildApiUrl })),
    });
    const { error_info } = parseJson(result) as { error_info?: { Error: string } };
    assert.equal(error_info?.Error, 'BuildTriggerUnknown', result.stdout);
    assert.equal(stack.buildApi.requests('request-tunnelled').length, 3);
    await worker.stop();
  });

  it('TLS to the build API trusts the authority in NODE_EXTRA_CA_CERTS, and no other, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const input = (name: string) => inputFor(stack, name, { polls: 0 }, { url: buildApiUrl });
    for (const [queue, trusted, status] of [
      ['trusting', 'build-api-ca.pem', 'COMPLETE'],
      ['wary', 'other-ca.pem', 'FAILED'],
    ] as const) {
      const settings = { ROLE_BUILD_TASK_QUEUE: queue, BUILD_API_ALLOWED_ORIGINS: buildApiUrl };
      const worker = await stack.startWorker({
        settings: { ...settings, NODE_EXTRA_CA_CERTS: file(trusted), NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      });
      const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], {
        settings,
        stdin: JSON.stringify(input(queue)),
      });
      const { status: found, error_info } = parseJson(result) as {
        status: string;
        error_info?: { Error: string; Cause: string };
      };
      assert.equal(found, status, result.stdout);
      if (status === 'FAILED') {
        assert.equal(error_info?.Error, 'BuildApiUnavailable');
        assert.match(error_info.Cause, /certificate/);
        assert.equal(stack.buildApi.requests(`request-${queue}`).length, 0);
      }
      await worker.stop();
    }
  });
});
