import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { freePort } from '../../dev/servers/ports.ts';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { stopAsItSays } from '../support/stop-as-it-says.ts';
import { until } from '../support/until.ts';
import { CHECKOUT, codecServer, startCodecServer, UI, type RunningCodecServer } from './codec-server-program.ts';

const { Payloads } = proto.temporal.api.common.v1;
const KEY = newKey('key-a');
const KEYS = { ENCRYPTION_KEYS: keysText(KEY) };
const CREDENTIAL = 'canary-credential';
const ROLE = 'canary-role';
const INPUT = {
  build_body: { custom_role_name: ROLE },
  nested: [{ encrypted_jwt: CREDENTIAL }],
  encrypted_jwt: CREDENTIAL,
};
const CONTEXT: SerializationContext = { type: 'workflow', namespace: 'default', workflowId: 'w' };

/** Headers as the Web UI sends them. */
const bodyOf = (payloads: Payload[]): unknown => Payloads.toObject(Payloads.create({ payloads }), { bytes: String });
const plain = (value: unknown): Payload => defaultPayloadConverter.toPayload(value, undefined);

async function encrypted(values: unknown[], context = CONTEXT, key = KEY): Promise<unknown> {
  return bodyOf(await new EncryptionCodec({ localKeys: [key] }, 'default').encode(values.map(plain), context));
}

async function valuesOf(response: Response): Promise<unknown[]> {
  assert.equal(response.status, 200, await response.clone().text());
  const { payloads } = (await response.json()) as { payloads: { data: string }[] };
  return payloads.map(({ data }) => JSON.parse(Buffer.from(data, 'base64').toString()) as unknown);
}

async function errorOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: string }).error;
}

describe('the codec server', () => {
  let server: RunningCodecServer;
  before(async () => {
    server = await startCodecServer({ ...KEYS, LOG_LEVEL: 'trace' });
  });
  after(async () => {
    assert.equal(await server.stop(), 0);
    const log = server.stdout();
    for (const canary of [CREDENTIAL, ROLE, keysText(KEY).split(':')[1] as string, 'Y2FuYXJ5']) {
      assert.ok(!log.includes(canary), `${canary} is in the log`);
    }
    assert.match(log, /"path":"\/decode","namespace":"default","payloads":2,"status":200/);
    assert.match(log, /codec server stopped/);
  });

  it('the codec server decodes, and never shows the credential', async () => {
    const shown = await valuesOf(await server.post('/decode', await encrypted([INPUT, 'x'])));
    const redacted = '[redacted by the codec server]';
    assert.deepEqual(shown, [{ ...INPUT, nested: [{ encrypted_jwt: redacted }], encrypted_jwt: redacted }, 'x']);
  });

  it('the codec server also removes the credential from payloads that were never encrypted', async () => {
    const response = await server.post('/decode', bodyOf([plain(INPUT)]));
    const text = JSON.stringify(await valuesOf(response));
    assert.ok(text.includes(ROLE) && !text.includes(CREDENTIAL));
  });

  it('the codec server leaves a payload encrypted whose content is not JSON, since it might hold the credential', async () => {
    const body = (await encrypted([new TextEncoder().encode(CREDENTIAL)])) as { payloads: unknown };
    const response = await server.post('/decode', body);
    assert.deepEqual(await response.json(), body);
  });

  it('the codec server accepts the payload of an undefined value, which has no data', async () => {
    const nothing = { metadata: { encoding: Buffer.from('binary/null').toString('base64') } };
    const response = await server.post('/decode', { payloads: [nothing] });
    assert.deepEqual([response.status, await response.json()], [200, { payloads: [nothing] }]);
  });

  it("the codec server says why it can't decode", async () => {
    const other = await server.post('/decode', await encrypted(['x'], CONTEXT, newKey('other')));
    assert.equal(other.status, 422);
    assert.match(await errorOf(other), /key "other", which is not among the keys given here/);
    const elsewhere = await server.post('/decode', await encrypted(['x']), { 'x-namespace': 'elsewhere' });
    assert.equal(elsewhere.status, 422);
    assert.match(await errorOf(elsewhere), /for the namespace "default"/);
  });

  it('the codec server does not encode', async () => {
    const response = await server.post('/encode', bodyOf([plain('x')]));
    assert.equal(response.status, 404);
    assert.match(await errorOf(response), /only decodes/);
  });

  for (const [what, path, init, status] of [
    ['another path', '/', { method: 'POST' }, 404],
    ['another method', '/decode', { method: 'GET' }, 405],
    ['another content type', '/decode', { method: 'POST', headers: { 'content-type': 'text/plain' } }, 415],
    ['no namespace', '/decode', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }, 400],
  ] as [string, string, RequestInit, number][]) {
    it(`the codec server answers ${status} to ${what}`, async () => {
      const response = await fetch(`${server.url}${path}`, init);
      assert.equal(response.status, status);
      assert.ok(await errorOf(response));
    });
  }

  const encodingOnly = '{"payloads":[{"metadata":{"encoding":[98]}}]}';
  const dataOfEncrypted = '{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":{"length":4}}]}';
  const noLists = ['', '{', '[]', 'null', '{"payloads":1}', '{"payloads":[1]}', encodingOnly, dataOfEncrypted];
  for (const body of noLists) {
    it(`the codec server answers 400 to a body that is not a list of payloads: ${body}`, async () => {
      const response = await server.post('/decode', body);
      assert.equal(response.status, 400);
      assert.match(await errorOf(response), /the body must be JSON such as/);
    });
  }

  it('the codec server answers 422, with what is wrong, to an encrypted payload that was changed or never was one', async () => {
    const { payloads } = (await encrypted(['x'])) as { payloads: [{ metadata: Record<string, string>; data: string }] };
    const [{ metadata, data }] = payloads;
    const marker = { encoding: metadata['encoding'] };
    const malformed: object[] = [
      { metadata: marker, data },
      { metadata: { ...marker, 'encryption-format': metadata['encryption-format'] }, data },
      { metadata },
      { metadata, data: '' },
      { metadata, data: 'AA==' },
      { metadata: { ...metadata, more: 'AA==' }, data },
    ];
    for (const name of Object.keys(metadata).filter((one) => one !== 'encoding')) {
      for (const value of ['', 'AA==', 'A'.repeat(1_000_000)]) {
        malformed.push({ metadata: { ...metadata, [name]: value }, data });
      }
    }
    for (const payload of malformed) {
      const response = await server.post('/decode', { payloads: [payload] });
      assert.equal(response.status, 422, JSON.stringify(payload).slice(0, 1_000));
      const error = await errorOf(response);
      assert.match(error, /^the payload/);
      assert.ok(error.length < 1_500, error);
    }
  });

  it('the codec server answers 413 to a body over 4 MiB, with and without a Content-Length', async () => {
    const large = 'x'.repeat(4 * 2 ** 20 + 1);
    assert.equal((await server.post('/decode', large)).status, 413);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'x-namespace': 'default', 'transfer-encoding': 'chunked' };
      const call = request(`${server.url}/decode`, { method: 'POST', headers }, (response) =>
        resolve(response.statusCode),
      );
      call.on('error', reject);
      call.write(large);
    });
    assert.equal(status, 413);
  });

  it('the codec server answers 413 to more payloads than a page of events has, however small', async () => {
    const body = JSON.stringify({ payloads: Array.from({ length: 20_001 }, () => ({})) });
    assert.equal((await server.post('/decode', body)).status, 413);
  });

  it('the codec server takes a build’s largest input', async () => {
    const [value] = await valuesOf(await server.post('/decode', await encrypted(['x'.repeat(1_500_000)])));
    assert.equal((value as string).length, 1_500_000);
  });

  it('the codec server answers its health check', async () => {
    const response = await fetch(`${server.url}/health`);
    assert.deepEqual([response.status, await response.json()], [200, { status: 'ok' }]);
  });
});

describe('pages of other origins', () => {
  let server: RunningCodecServer;
  before(async () => {
    server = await startCodecServer({ ...KEYS, CODEC_SERVER_ALLOWED_ORIGINS: `${UI},https://temporal.example.com` });
  });
  after(() => server.stop());

  for (const origin of [UI, 'https://temporal.example.com']) {
    it(`pages of other origins are answered if they are listed: ${origin}`, async () => {
      const preflight = await fetch(`${server.url}/decode`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-namespace' },
      });
      assert.equal(preflight.status, 204);
      const response = await server.post('/decode', await encrypted(['x']), { origin });
      assert.equal(response.status, 200);
      for (const { headers } of [preflight, response]) {
        assert.equal(headers.get('access-control-allow-origin'), origin);
        assert.equal(headers.get('vary'), 'Origin');
        assert.equal(headers.get('access-control-allow-credentials'), null);
      }
      assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /Authorization, .*X-Namespace/);
    });
  }

  for (const origin of [
    'http://evil.example',
    `${UI}.evil.example`,
    'http://ui.example',
    'null',
    'https://ui.example:8233',
  ]) {
    it(`pages of other origins are refused if they are not: ${origin}`, async () => {
      for (const method of ['OPTIONS', 'POST']) {
        const init = method === 'POST' ? { body: JSON.stringify(await encrypted([ROLE])) } : {};
        const headers = { origin, 'content-type': 'application/json', 'x-namespace': 'default' };
        const response = await fetch(`${server.url}/decode`, { method, headers, ...init });
        assert.equal(response.status, 403);
        assert.equal(response.headers.get('access-control-allow-origin'), null);
        assert.ok(!(await response.text()).includes(ROLE));
      }
    });
  }

  it('pages of other origins are refused if their host name was pointed at loopback', async () => {
    const status = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1' });
      socket.on('error', reject).once('data', (data) => {
        socket.destroy();
        resolve(data.toString().split('\r\n')[0] ?? '');
      });
      socket.write('POST /decode HTTP/1.1\r\nHost: evil.example:8081\r\nContent-Length: 0\r\n\r\n');
    });
    assert.match(status, /403/);
  });
});

describe('the codec server told to stop', () => {
  it("the codec server answers until it is told to stop, although its log can't be written", async () => {
    const port = await freePort();
    const env = { ...KEYS, CODEC_SERVER_ADDRESS: `127.0.0.1:${port}`, CODEC_SERVER_ALLOWED_ORIGINS: UI };
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['src/codec-server.ts'], {
      cwd: CHECKOUT,
      env,
      stdio: ['ignore', full, full],
    });
    closeSync(full);
    const ended = once(child, 'exit');
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        ({ status }) => status,
        () => 0,
      );
    await until('it answers', async () => child.exitCode !== null || (await answers()) !== 0);
    const status = await answers();
    child.kill('SIGTERM');
    assert.equal(status, 200);
    assert.deepEqual(await ended, [0, null]);
  });

  it('the codec server stops cleanly if it is told to while it logs that it listens', async () => {
    const NODE_OPTIONS = stopAsItSays('codec server listening');
    const program = codecServer({ ...KEYS, CODEC_SERVER_ALLOWED_ORIGINS: UI, NODE_OPTIONS });
    assert.equal(await program.exited, 0, program.stderr());
    assert.match(program.stdout(), /codec server stopped/);
  });
});

it('the codec server does not start with settings that are missing or wrong, and names every one', async () => {
  const program = codecServer({ LOG_LEVEL: 'loud' });
  assert.equal(await program.exited, 2);
  assert.match(program.stderr(), /^ {2}CODEC_SERVER_ALLOWED_ORIGINS is required/m);
  assert.match(program.stderr(), /^ {2}LOG_LEVEL must be one of/m);
  assert.doesNotMatch(program.stderr(), /^\s+at /m);
});
