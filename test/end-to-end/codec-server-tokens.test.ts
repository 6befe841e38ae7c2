import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { requiredClaim } from '../../src/config/codec-server.ts';
import { hasClaim } from '../../src/codec-server/tokens.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { createAuthority } from '../../dev/servers/certificates.ts';
import { LOOPBACK } from '../support/loopback.ts';
import {
  AUDIENCE,
  ISSUER,
  startCodecServer,
  startIdentityProvider,
  type IdentityProvider,
  type RunningCodecServer,
} from './codec-server-program.ts';

const BODY = { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'IngI' }] };

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({ sub: 'x', iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 300 });

describe('a required claim', () => {
  const holds = (setting: string, claim: unknown, namespace = 'default') =>
    hasClaim({ email: claim, scope: claim }, requiredClaim(setting), namespace);

  const EMAIL = 'email=*@example.com';
  const ours = [
    'me@example.com',
    'a.b+c@example.com',
    ['other@elsewhere.example', 'me@example.com'],
    'zoë@example.com',
  ];
  for (const claim of ours) {
    it(`a required claim ${EMAIL} accepts ${JSON.stringify(claim)}`, () => assert.equal(holds(EMAIL, claim), true));
  }

  const others: unknown[] = [
    'me@example.com.attacker.example',
    'me@attacker.example',
    'attacker@me@example.com',
    'me@example.com@attacker.example',
    '@example.com',
    'me@sub.example.com',
    'me@examplexcom',
    'me@example.com\n',
    '\nme@example.com',
    'attacker@attacker.example\nme@example.com',
    'attacker me@example.com',
    'me@example.com attacker@attacker.example',
    '"me@example.com "@attacker.example',
    '" me@example.com "@attacker.example',
    'me\u0000@example.com',
    'me\u2028@example.com',
    'me@EXAMPLE.com',
    '*@example.com.attacker.example',
    ['me', '@example.com'],
    [['me@example.com']],
    { 0: 'me@example.com' },
    '',
    undefined,
    null,
    true,
    7,
  ];
  for (const claim of others) {
    it(`a required claim ${EMAIL} refuses ${JSON.stringify(claim)}`, () => assert.equal(holds(EMAIL, claim), false));
  }

  it('a required claim is never an inherited property of objects', () => {
    assert.equal(hasClaim({}, requiredClaim('constructor=*n'), 'default'), false);
    assert.equal(hasClaim({}, requiredClaim('__proto__=*n'), 'default'), false);
  });

  it('a required claim takes the namespace literally: an asterisk in it is no wildcard', () => {
    assert.equal(holds('scope=*-{namespace}:read', 'team-builds:read', 'builds'), true);
    assert.equal(holds('scope=*-{namespace}:read', 'team-builds:read', '*'), false);
    assert.equal(holds('scope={namespace}:read', 'builds:read', '*'), false);
  });

  it('a required claim can contain an escaped asterisk', () => {
    assert.equal(holds('scope=builds:\\*', 'builds:*'), true);
    assert.equal(holds('scope=builds:\\*', 'builds:read'), false);
    assert.equal(holds('scope=*:\\*', 'builds:*'), true);
  });

  it('a required claim without an asterisk matches one of several scopes, and no part of a quoted address', () => {
    assert.equal(holds('scope=a', 'b a'), true);
    assert.equal(holds('email=me@example.com', '"x me@example.com y"@attacker.example'), false);
  });
});

describe('bearer tokens', () => {
  let provider: IdentityProvider;
  let server: RunningCodecServer;
  before(async () => {
    provider = await startIdentityProvider();
    server = await startCodecServer({
      ENCRYPTION_KEYS: keysText(newKey('a')),
      ...provider.settings,
      CODEC_SERVER_REQUIRED_CLAIM: 'permissions={namespace}:read',
    });
  });
  after(async () => {
    await server.stop();
    await provider.stop();
  });

  const permissions = ['default:read', 'default:write'];
  const ask = async (token?: string, namespace = 'default') => {
    const headers: Record<string, string> = { 'x-namespace': namespace };
    if (token !== undefined) headers['authorization'] = token;
    const response = await server.post('/decode', BODY, headers);
    return { status: response.status, body: await response.text(), headers: response.headers };
  };

  it('bearer tokens let their holder in, and the log says who that is', async () => {
    const { status, body } = await ask(`Bearer ${await provider.token({ permissions })}`);
    assert.equal(status, 200, body);
    assert.match(
      await server.lineWith('someone@example.com'),
      /"namespace":"default","who":.*"payloads":1,"status":200/,
    );
  });

  it('bearer tokens can have the claim in a list separated by spaces, as scopes are', async () => {
    assert.equal((await ask(`Bearer ${await provider.token({ permissions: 'a default:read' })}`)).status, 200);
  });

  const refused: [string, () => Promise<string> | string | undefined][] = [
    ['none', () => undefined],
    ['another scheme', () => 'Basic dXNlcjpwYXNz'],
    ['no token', () => 'Bearer x'],
    [
      'another issuer',
      async () => `Bearer ${await provider.token({ permissions }, { issuer: 'https://evil.example/' })}`,
    ],
    ['another audience', async () => `Bearer ${await provider.token({ permissions }, { audience: 'another' })}`],
    [
      'one that has expired',
      async () => `Bearer ${await provider.token({ permissions }, { expires: '1 minute ago' })}`,
    ],
    ['no signature at all', () => `Bearer ${part({ alg: 'none' })}.${part({ ...claims(), permissions })}.`],
    [
      'an HMAC made with the public key',
      () => {
        const signed = `${part({ alg: 'HS256', kid: 'one' })}.${part({ ...claims(), permissions })}`;
        return `Bearer ${signed}.${createHmac('sha256', provider.publicPem).update(signed).digest('base64url')}`;
      },
    ],
    [
      'the signature of another key under the same ID',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        const token = new SignJWT({ ...claims(), permissions }).setProtectedHeader({ alg: 'RS256', kid: 'one' });
        return `Bearer ${await token.sign(privateKey)}`;
      },
    ],
    [
      'a key of its own in its header',
      async () => {
        const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
        const token = new SignJWT({ ...claims(), permissions });
        return `Bearer ${await token.setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey) }).sign(privateKey)}`;
      },
    ],
    [
      'claims that were changed',
      async () => {
        const [header, , signature] = (await provider.token({})).split('.');
        return `Bearer ${header}.${part({ ...claims(), permissions })}.${signature}`;
      },
    ],
  ];
  for (const [what, token] of refused) {
    it(`bearer tokens are refused: ${what}`, async () => {
      const { status, body, headers } = await ask(await token());
      assert.equal(status, 401, body);
      assert.equal(headers.get('www-authenticate'), 'Bearer');
      assert.ok(!body.includes('payloads'));
    });
  }

  it('bearer tokens without the claim for the namespace are refused', async () => {
    assert.equal((await ask(`Bearer ${await provider.token({})}`)).status, 403);
    assert.equal((await ask(`Bearer ${await provider.token({ permissions: ['default'] })}`)).status, 403);
    assert.equal((await ask(`Bearer ${await provider.token({ permissions })}`, 'other')).status, 403);
  });

  it('bearer tokens that never expire are refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const token = new SignJWT({ iss: ISSUER, aud: AUDIENCE }).setProtectedHeader({ alg: 'RS256', kid: 'one' });
    assert.equal((await ask(`Bearer ${await token.sign(privateKey)}`)).status, 401);
  });

  it('bearer tokens are not in the log', () => {
    assert.doesNotMatch(server.stdout(), /eyJ/);
  });

  it("bearer tokens can be required off loopback, and get 503 while the keys can't be fetched", async () => {
    const away = await startCodecServer({
      ENCRYPTION_KEYS: keysText(newKey('a')),
      ...provider.settings,
      CODEC_SERVER_ADDRESS: '0.0.0.0:0',
      CODEC_SERVER_JWKS_URL: 'http://127.0.0.1:9/keys',
    });
    const response = await away.post('/decode', BODY, { authorization: `Bearer ${await provider.token()}` });
    assert.equal(response.status, 503);
    for (const host of LOOPBACK) {
      assert.equal((await fetch(`${away.url.replace('127.0.0.1', host)}/health`)).status, 200, host);
    }
    await away.stop();
  });

  it('bearer tokens are not checked against keys of a server with an untrusted certificate, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async () => {
    const impostor = await startIdentityProvider(createAuthority('nobody knows it').issue('127.0.0.1', ['127.0.0.1']));
    const wary = await startCodecServer({
      ENCRYPTION_KEYS: keysText(newKey('a')),
      ...impostor.settings,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
    const response = await wary.post('/decode', BODY, { authorization: `Bearer ${await impostor.token()}` });
    assert.equal(response.status, 503);
    assert.match(wary.stderr(), /^codec server: NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored; NODE_EXTRA_CA_CERTS /);
    await wary.stop();
    await impostor.stop();
  });
});
