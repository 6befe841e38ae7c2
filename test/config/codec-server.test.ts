import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CODEC_SERVER_SETTINGS, readSettings } from '../../src/config/settings.ts';
import { keysText, newKey } from '../encryption/keys.ts';

const KEYS = { ENCRYPTION_KEYS: keysText(newKey('key-a')) };
const TOKENS = {
  CODEC_SERVER_JWKS_URL: 'https://login.example.com/keys',
  CODEC_SERVER_JWT_ISSUER: 'i',
  CODEC_SERVER_JWT_AUDIENCE: 'a',
};
const ORIGINS = { CODEC_SERVER_ALLOWED_ORIGINS: 'https://temporal.example.com' };
const CASES: [string, Record<string, string>, RegExp][] = [
  ['without keys', ORIGINS, /ENCRYPTION_KMS_KEY_ARNS, ENCRYPTION_KEYS_FILE or ENCRYPTION_KEYS is required/],
  ['without origins', KEYS, /CODEC_SERVER_ALLOWED_ORIGINS is required/],
  ['with any origin', { ...KEYS, CODEC_SERVER_ALLOWED_ORIGINS: '*' }, /CODEC_SERVER_ALLOWED_ORIGINS must list/],
  ...['0.0.0.0:0', '[::]:0', 'codec.example.com:8081', '10.0.0.1:8081'].map(
    (address): [string, Record<string, string>, RegExp] => [
      `on ${address} without tokens`,
      { ...KEYS, ...ORIGINS, CODEC_SERVER_ADDRESS: address },
      /CODEC_SERVER_ADDRESS must be on loopback.*if no tokens are required/,
    ],
  ),
  [
    'with half of what tokens need',
    { ...KEYS, ...ORIGINS, CODEC_SERVER_JWKS_URL: TOKENS.CODEC_SERVER_JWKS_URL },
    /CODEC_SERVER_JWT_ISSUER and CODEC_SERVER_JWT_AUDIENCE must be set too/,
  ],
  [
    'with keys of tokens fetched in the clear',
    { ...KEYS, ...ORIGINS, ...TOKENS, CODEC_SERVER_JWKS_URL: 'http://login.example.com/keys' },
    /CODEC_SERVER_JWKS_URL must be an https URL/,
  ],
  [
    'with a claim and no tokens',
    { ...KEYS, ...ORIGINS, CODEC_SERVER_REQUIRED_CLAIM: 'a=b' },
    /CODEC_SERVER_REQUIRED_CLAIM needs CODEC_SERVER_JWKS_URL/,
  ],
  ...[
    ['email=*', /CODEC_SERVER_REQUIRED_CLAIM must have more than \* for a value/],
    ['email=*@*', /CODEC_SERVER_REQUIRED_CLAIM must have one \* at most/],
    ['*@example.com', /CODEC_SERVER_REQUIRED_CLAIM must be NAME=VALUE/],
  ].map(([claim, message]): [string, Record<string, string>, RegExp] => [
    `with the claim ${String(claim)}`,
    { ...KEYS, ...ORIGINS, ...TOKENS, CODEC_SERVER_REQUIRED_CLAIM: String(claim) },
    message as RegExp,
  ]),
  [
    "with the tokens of all of Temporal Cloud's customers",
    { ...KEYS, ...ORIGINS, ...TOKENS, CODEC_SERVER_JWKS_URL: 'https://login.tmprl.cloud/.well-known/jwks.json' },
    /CODEC_SERVER_REQUIRED_CLAIM is required: .*https:\/\/saas-api\.tmprl\.cloud\/user\/email=\*@YOUR-DOMAIN/,
  ],
  ['with an address that is none', { ...KEYS, ...ORIGINS, CODEC_SERVER_ADDRESS: '8081' }, /must be HOST:PORT/],
];

for (const [what, env, message] of CASES) {
  it(`the settings of the codec server are refused ${what}`, () => {
    assert.throws(() => readSettings(env, CODEC_SERVER_SETTINGS), message);
  });
}

it('the settings of the codec server are accepted on loopback, and elsewhere with tokens', () => {
  for (const more of [
    { CODEC_SERVER_ADDRESS: '127.0.0.2:0' },
    { CODEC_SERVER_ADDRESS: '[::1]:8081' },
    { ...TOKENS, CODEC_SERVER_ADDRESS: '0.0.0.0:8081' },
  ]) {
    assert.doesNotThrow(() => readSettings({ ...KEYS, ...ORIGINS, ...more }, CODEC_SERVER_SETTINGS));
  }
});
