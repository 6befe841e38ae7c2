/** Failures of Temporal and AWS as the real clients throw them, and how the command line reports them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startTemporalServer, type TemporalServer } from '../../dev/servers/temporal-server.ts';
import { searchAttributes } from '../../src/contract.ts';
import { runCommand } from '../support/cli-here.ts';

const STATUS = ['status', '123456789012', 'iam_role#x', '--json'];
const START = ['start', '--account', '123456789012', '--role', 'x', '--url', 'https://builds.example.com', '--json'];
const SECRET = 'canary-session-token-of-no-use';
const PRELOAD = new URL('../support/broken-keywords.ts', import.meta.url).href;

describe('a failure of a service', () => {
  let temporal: TemporalServer;
  let aws: Server;
  /** What the stand-in for DynamoDB answers: status and body, by the region in the credential's scope. */
  const answers = new Map<string, [number, string]>();

  before(async () => {
    const types = Object.values(searchAttributes).map(({ name }) => [name, 'Keyword'] as const);
    // CorrelationId is missing, and DryRun is a Keyword.
    temporal = await startTemporalServer({
      uiPort: false,
      searchAttributes: Object.fromEntries(types.filter(([name]) => name !== 'CorrelationId')),
    });
    aws = createServer((request, response) => {
      const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const [status, body] = answers.get(region) ?? [500, ''];
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
    }).listen(0, '127.0.0.1');
    await once(aws, 'listening');
  });
  after(async () => {
    aws.close();
    await temporal.stop();
  });

  async function run(args: readonly string[], settings: Record<string, string | undefined> = {}) {
    const all = {
      HOME: '/nowhere',
      TEMPORAL_ADDRESS: temporal.address,
      AWS_REGION: 'eu-west-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(aws.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      ...settings,
    };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { code, stdout, stderr } = await runCommand(args, Object.fromEntries(given));
    const { error, message = '', hint = '' } = (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, string>;
    assert.equal(stderr.includes(message), true, stderr);
    return { code, error, message, hint, stdout, stderr };
  }

  const amazons = (type: string, message: string) =>
    JSON.stringify({ __type: `com.amazon.coral.service#${type}`, message });
  for (const [what, answer, message, hint] of [
    [
      'a missing table',
      [400, amazons('ResourceNotFoundException', 'Requested resource not found')],
      /no such table/,
      /role-build setup/,
    ],
    [
      'denied access',
      [400, amazons('AccessDeniedException', 'User x may not GetItem')],
      /denies access.*may not/,
      /policy/,
    ],
    [
      'an expired token',
      [400, amazons('ExpiredTokenException', 'The token is expired')],
      /have expired/,
      /aws sso login/,
    ],
    [
      'a credential that nobody knows',
      [400, amazons('UnrecognizedClientException', 'invalid')],
      /does not accept the credentials/,
      /get-caller-identity/,
    ],
    [
      'a wrong secret',
      [400, amazons('InvalidSignatureException', 'The signature does not match')],
      /does not accept the credentials/,
      /AWS_SECRET_ACCESS_KEY/,
    ],
    [
      'a wrong clock',
      [400, amazons('InvalidSignatureException', 'Signature expired: 2020 is now earlier than 2026')],
      /the clock of this machine/,
      /clock/,
    ],
    ['throttling', [400, amazons('ThrottlingException', 'Rate exceeded')], /is busy or throttles requests/, /later/],
    [
      'a service that is broken',
      [500, amazons('InternalServerError', 'sorry')],
      /is busy or throttles requests/,
      /later/,
    ],
    ['a proxy in its place', [200, '<html>Welcome</html>'], /AWS does not give/, /role-build config/],
    ['a page that is not there', [404, ''], /AWS does not give/, /role-build config/],
  ] as const) {
    it(`a failure of DynamoDB: ${what} is told apart from the others, with advice`, async () => {
      const region = `eu-test-${answers.size}`;
      answers.set(region, [...answer]);
      const told = await run(STATUS, { AWS_REGION: region });
      assert.equal(told.code, 5, told.stderr);
      assert.equal(told.error, 'unreachable');
      assert.match(told.message, /^DynamoDB /);
      assert.match(told.message, message);
      assert.match(told.hint, hint);
      assert.doesNotMatch(told.stderr, /^ +at /m);
    });
  }

  for (const [what, settings, message, hint] of [
    ['no region', { AWS_REGION: undefined }, /^DynamoDB can't be called without a region/, /AWS_REGION/],
    [
      'no credentials',
      { AWS_ACCESS_KEY_ID: undefined },
      /^DynamoDB can't be called without credentials/,
      /AWS_PROFILE/,
    ],
    [
      'an address that is none',
      { AWS_ENDPOINT_URL_DYNAMODB: 'nowhere' },
      /^DynamoDB has an address that is not a URL/,
      /role-build config/,
    ],
    [
      'a credential with a line break',
      { AWS_SESSION_TOKEN: `${SECRET}\r` },
      /^DynamoDB can't be called with credentials that hold line breaks/,
      /AWS_SESSION_TOKEN/,
    ],
    [
      'a mode that the SDK does not know',
      { AWS_DEFAULTS_MODE: 'fast' },
      /^DynamoDB can't be called with these settings: .*defaultsMode/,
      /AWS_DEFAULTS_MODE/,
    ],
    [
      'a table whose name is none',
      { STATUS_TABLE: '!', AWS_REGION: 'eu-test-names' },
      /^DynamoDB refused the request as not valid: .*tableName/,
      /STATUS_TABLE/,
    ],
    [
      'nobody who listens',
      { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' },
      /^DynamoDB can't be reached: .*ECONNREFUSED/,
      /role-build config/,
    ],
    [
      'a web identity whose token is not there',
      {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token',
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/x',
      },
      /^DynamoDB can't be called without credentials: .*\/nowhere\/token/,
      /get-caller-identity/,
    ],
    [
      'no such namespace',
      { TEMPORAL_NAMESPACE: 'nope' },
      /^Temporal at .* has no namespace "nope"/,
      /TEMPORAL_NAMESPACE/,
    ],
  ] as const) {
    it(`a fault in the settings: ${what} is reported as such`, async () => {
      answers.set('eu-test-names', [400, amazons('ValidationException', 'tableName must have 3 characters or more')]);
      const told = await run(STATUS, settings);
      assert.equal(told.code, 5, told.stderr);
      assert.match(told.message, message);
      assert.match(told.hint, hint);
      assert.ok(!`${told.stdout}${told.stderr}`.includes(SECRET));
    });
  }

  it('a build named by an impossible key is bad usage, not a failure of a service', async () => {
    const long = 'x'.repeat(2_049);
    for (const args of [
      ['123456789012', ''],
      ['123456789012', 'x'.repeat(1_025)],
      ['--correlation-id', long],
    ]) {
      const told = await run(['status', ...args, '--json']);
      assert.equal(told.code, 2, told.stderr);
      assert.match(told.message, /^the name of a build must have 1 to \d+ bytes, not (0|1025|2049)$/);
    }
  });

  it("a fault in the settings: an API key that can't be a header is refused, and not repeated", async () => {
    const told = await run(STATUS, { TEMPORAL_API_KEY: `${SECRET}\nmore`, TEMPORAL_TLS: 'false' });
    assert.equal(told.code, 2, told.stderr);
    assert.match(told.message, /TEMPORAL_API_KEY must be printable ASCII without white space/);
    assert.ok(!`${told.stdout}${told.stderr}`.includes(SECRET));
  });

  it("a fault in the settings: a namespace that can't be a header is refused", async () => {
    const told = await run(STATUS, { TEMPORAL_NAMESPACE: 'prüfung' });
    assert.equal(told.code, 2, told.stderr);
    assert.match(told.message, /TEMPORAL_NAMESPACE must be printable ASCII/);
  });

  it("a failure of DynamoDB: an address that does not speak HTTP, such as Temporal's own, is reported as such", async () => {
    const told = await run(STATUS, { AWS_ENDPOINT_URL_DYNAMODB: `http://${temporal.address}` });
    assert.equal(told.code, 5, told.stderr);
    assert.match(told.message, /^DynamoDB gave an answer that AWS does not give.*Parse Error/);
    assert.match(told.hint, /role-build config/);
  });

  it('a fault in temporal.toml is reported with its place and without its text', async () => {
    const told = await run(STATUS, {
      TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere.pem',
      TEMPORAL_TLS_CLIENT_KEY_PATH: '/nowhere.pem',
    });
    assert.equal(told.code, 2, told.stderr);
    assert.match(told.message, /Temporal's variables or temporal\.toml: ENOENT.*\/nowhere\.pem/);
  });

  for (const [what, args, code, message, hint] of [
    [
      'one of ours that is missing',
      ['list', '--query', "CorrelationId = 'x'", '--json'],
      5,
      /the search attribute CorrelationId is missing/,
      /^role-build setup$/,
    ],
    [
      'one of ours of another type',
      ['list', '--dry-run', '--json'],
      5,
      /has the search attribute DryRun as Keyword; it must be Bool/,
      /search-attribute remove --name DryRun/,
    ],
    [
      'one that the query alone names',
      ['list', '--query', "Foo = 'x'", '--json'],
      2,
      /Temporal refuses it: .*Foo/,
      /^$/,
    ],
    [
      'one that the query compares with what it is not',
      ['list', '--query', 'AccountId = 5', '--json'],
      2,
      /Temporal refuses it: .*AccountId/,
      /^$/,
    ],
  ] as const) {
    it(`a failure of search attributes: ${what} is told apart from a server that can't be reached`, async () => {
      const told = await run(args);
      assert.equal(told.code, code, told.stderr);
      assert.match(told.message, message);
      assert.match(told.hint, hint);
    });
  }

  it('a fault of our own is an internal error, with its stack and version and without secrets', async () => {
    const told = await run(START, {
      NODE_OPTIONS: `--import ${PRELOAD}`,
      AWS_SESSION_TOKEN: SECRET,
      ENCRYPTED_JWT: 'c',
    });
    assert.equal(told.code, 70, told.stderr);
    const { error, message, version, stack } = JSON.parse(told.stdout) as Record<string, string>;
    assert.equal(error, 'internal');
    assert.match(
      `${message}`,
      /^internal error of role-build \d+\.\d+\.\d+: TypeError: no keyword for \[redacted\], \[redacted\]$/,
    );
    assert.match(`${version}`, /^\d+\.\d+\.\d+/);
    assert.match(`${stack}`, /^ +at searchAttributesOf /m);
    assert.match(told.stderr, /^role-build: internal error .*\n {4}at [^]*\ntry: report it/m);
    assert.ok(!`${told.stdout}${told.stderr}`.includes(SECRET.slice(0, 12)));
  });

  it('the region can come from AWS_DEFAULT_REGION too', async () => {
    answers.set('eu-default-1', [400, amazons('AccessDeniedException', 'seen')]);
    const told = await run(STATUS, { AWS_REGION: undefined, AWS_DEFAULT_REGION: 'eu-default-1' });
    assert.match(told.message, /denies access: .*seen/);
  });
});
