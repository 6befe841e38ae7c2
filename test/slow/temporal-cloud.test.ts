/** What docs/deployment.md says about Temporal Cloud, with a local server behind a proxy that requires TLS and an API key. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { findTemporalCli } from '../../dev/servers/temporal-binaries.ts';
import { startTemporalServer, type TemporalServer } from '../../dev/servers/temporal-server.ts';
import { searchAttributes } from '../../src/contract.ts';
import { createAuthority } from '../../dev/servers/certificates.ts';
import { DEADLINE_EXCEEDED, startGrpcFront, STATUS, type GrpcFront } from './grpc-front.ts';
import { inputFor, parseJson, startTestStack, until, type TestStack } from '../support/stack.ts';

/** A namespace with an account ID, as Temporal Cloud names them. */
const NAMESPACE = 'role-builds.a1b2c';
const API_KEY = 'canary-api-key-51c0';
const names = Object.keys(searchAttributes);
/** The types as `temporal` and `tcld` spell them. */
const TYPES = { KEYWORD: 'Keyword', BOOL: 'Bool' } as const;
const command =
  `tcld namespace search-attributes add --namespace ${NAMESPACE} ` +
  Object.values(searchAttributes)
    .map(({ name, type }) => `--search-attribute ${name}=${TYPES[type]}`)
    .join(' ');

describe('Temporal Cloud', () => {
  let folder: string;
  let stack: TestStack;
  let temporal: TemporalServer;
  let front: GrpcFront;
  let settings: Record<string, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cloud-'));
    const authority = createAuthority('Temporal Cloud');
    await writeFile(join(folder, 'ca.pem'), authority.cert);
    [stack, temporal] = await Promise.all([
      startTestStack(),
      startTemporalServer({
        uiPort: false,
        namespace: NAMESPACE,
        dynamicConfig: { 'system.forceSearchAttributesCacheRefreshOnRead': true },
      }),
    ]);
    front = await startGrpcFront(temporal.address, {
      server: authority.issue('temporal', ['temporal.example']),
      apiKey: API_KEY,
    });
    settings = {
      TEMPORAL_ADDRESS: front.address,
      TEMPORAL_NAMESPACE: NAMESPACE,
      TEMPORAL_API_KEY: API_KEY,
      // Temporal Cloud's certificate is issued by a public authority.
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(folder, 'ca.pem'),
      TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
    };
    delete stack.settings['TEMPORAL_ADDRESS'];
    delete stack.settings['TEMPORAL_NAMESPACE'];
  });
  after(async () => {
    await front.stop();
    await Promise.all([stack.stop(), temporal.stop()]);
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    front.calls.length = 0;
    front.refused.clear();
  });

  for (const [how, list] of [
    ['may be listed', undefined],
    ['may not be listed either', STATUS.PERMISSION_DENIED],
  ] as const) {
    for (const [answer, status] of Object.entries(STATUS)) {
      it(`setup prints the command if search attributes ${how} and registering them is answered ${answer}`, async () => {
        front.refused.set('AddSearchAttributes', status);
        if (list !== undefined) front.refused.set('ListSearchAttributes', list);
        const { code, stdout, stderr } = await stack.cli(['setup'], { settings });
        assert.equal(code, 1, stderr);
        assert.equal(stdout.trim().split('\n').at(-1), command);
        for (const name of names) assert.match(stdout, new RegExp(`^search attribute ${name}: missing$`, 'm'));
        assert.match(stderr, /does not allow this identity to register search attributes: Request unauthorized\./);
        assert.match(stderr, /then run role-build setup again/);
        // The rest is still set up.
        assert.match(stdout, /^table \S+: /m);
      });
    }
  }

  it('setup --json has the command too', async () => {
    front.refused.set('AddSearchAttributes', STATUS.PERMISSION_DENIED);
    const result = await stack.cli(['setup', '--json'], { settings });
    assert.equal(result.code, 1, result.stderr);
    const { search_attributes, left } = parseJson(result) as { search_attributes: unknown; left: { command: string } };
    assert.deepEqual(
      search_attributes,
      names.map((name) => ({ name, created: false, missing: true })),
    );
    assert.equal(left.command, command);
  });

  it('doctor --fix leaves the search attributes to somebody else, and goes on', async () => {
    front.refused.set('AddSearchAttributes', STATUS.PERMISSION_DENIED);
    const { code, stdout, stderr } = await stack.cli(['doctor', '--fix', '--yes', '--json'], { settings });
    assert.equal(code, 1, stderr);
    const findings = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { finding: string; result: string; fix: string });
    const missing = findings.filter(({ finding }) => finding === 'SearchAttributeMissing');
    assert.equal(missing.length, names.length);
    for (const { result, fix } of missing) assert.deepEqual([result, fix], ['left alone', 'role-build setup']);
  });

  it('an invalid API key is refused, and shown nowhere', async () => {
    const wrong = { ...settings, TEMPORAL_API_KEY: 'canary-wrong-key-77aa' };
    const { code, stdout, stderr } = await stack.cli(['list'], { settings: wrong });
    assert.equal(code, 5, stderr);
    assert.match(stderr, /Request unauthorized/);
    assert.doesNotMatch(stdout + stderr, /canary-wrong-key/);
    await assert.rejects(stack.startWorker({ settings: wrong }), (err: Error) => {
      assert.match(err.message, /Request unauthorized/);
      assert.doesNotMatch(err.message, /canary-wrong-key/);
      return true;
    });
  });

  it("a worker trusts the system's authorities, which the image has, and the command line those of Node.js", async () => {
    const { TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority = '', ...others } = settings;
    const worker = await stack.startWorker({ settings: { ...others, SSL_CERT_FILE: authority } });
    await worker.stop();
    await assert.rejects(stack.startWorker({ settings: others }), /UnknownIssuer/);
    const { code, stderr } = await stack.cli(['list'], { settings: { ...others, NODE_EXTRA_CA_CERTS: authority } });
    // It connected: the list call is refused, before anything is set up.
    assert.doesNotMatch(stderr, /can't be reached/);
    assert.notEqual(code, 2);
  });

  it('setup is complete once somebody has run the command, and a build runs to its end', async () => {
    // The call that tcld makes to Temporal Cloud, made to the server itself.
    const create = Object.values(searchAttributes).flatMap(({ name, type }) => ['--name', name, '--type', TYPES[type]]);
    const where = ['--address', temporal.address, '--namespace', NAMESPACE];
    await promisify(execFile)(await findTemporalCli(), ['operator', 'search-attribute', 'create', ...where, ...create]);
    for (const list of [undefined, STATUS.UNIMPLEMENTED]) {
      front.refused.set('AddSearchAttributes', STATUS.PERMISSION_DENIED);
      if (list !== undefined) front.refused.set('ListSearchAttributes', list);
      const { code, stdout, stderr } = await stack.cli(['setup'], { settings });
      assert.equal(code, 0, stderr);
      for (const name of names) assert.match(stdout, new RegExp(`^search attribute ${name}: was there$`, 'm'));
    }

    front.calls.length = 0;
    const worker = await stack.startWorker({ settings });
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], {
      settings,
      stdin: JSON.stringify(inputFor(stack, 'cloud', { polls: 1 })),
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(parseJson(result)['status'], 'COMPLETE');
    await worker.stop();
    assert.ok(front.calls.length > 0);
    for (const { method, authorization, namespace } of front.calls) {
      assert.equal(authorization, `Bearer ${API_KEY}`, method);
      // A regional endpoint chooses the namespace by this header.
      if (method !== 'GetSystemInfo') assert.equal(namespace, NAMESPACE, method);
    }
  });

  it('a worker compresses its gRPC messages only if a setting asks for it', async () => {
    const compression = { none: [undefined, undefined], gzip: ['gzip', 'gzip,identity'] } as const;
    for (const [setting, said] of Object.entries(compression)) {
      front.calls.length = 0;
      const chosen = setting === 'none' ? {} : { WORKER_GRPC_COMPRESSION: setting };
      const worker = await stack.startWorker({ settings: { ...settings, ...chosen } });
      const polls = () => front.calls.filter(({ method }) => method === 'PollWorkflowTaskQueue');
      await until('the worker polls', () => polls().length > 0);
      await worker.stop();
      for (const poll of polls()) assert.deepEqual([poll.encoding, poll.accepted], said, setting);
    }
  });

  it('a batch says that a build may be running if its start got no answer', async () => {
    front.refused.set('StartWorkflowExecution', DEADLINE_EXCEEDED);
    const report = join(folder, 'report.ndjson');
    const line = JSON.stringify(inputFor(stack, 'unanswered', { polls: 0 }));
    const { code, stderr } = await stack.cli(['batch', '-', '--report', report], { settings, stdin: `${line}\n` });
    assert.equal(code, 5, stderr);
    const { status, error } = JSON.parse(await readFile(report, 'utf8')) as Record<string, unknown>;
    assert.deepEqual([status, error], ['NOT_STARTED', 'its start got no answer, so it may be running']);
  });

  it('address, namespace and key can come from temporal.toml', async () => {
    const file = join(folder, 'temporal.toml');
    const lines = [
      '[profile.default]',
      `address = "${front.address}"`,
      `namespace = "${NAMESPACE}"`,
      `api_key = "${API_KEY}"`,
      '[profile.default.tls]',
      `server_ca_cert_path = "${join(folder, 'ca.pem')}"`,
      'server_name = "temporal.example"',
    ];
    await writeFile(file, lines.join('\n'), { mode: 0o600 });
    const inFile = { TEMPORAL_CONFIG_FILE: file };
    const listed = await stack.cli(['list', '--json'], { settings: inFile });
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /"status":"COMPLETE"/);
    const config = await stack.cli(['config', '--json'], { settings: inFile });
    assert.doesNotMatch(config.stdout + config.stderr, new RegExp(API_KEY));
    const rows = (parseJson(config)['settings'] as { name: string; source: string }[]).filter(({ name }) =>
      ['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY'].includes(name),
    );
    for (const { source } of rows) assert.match(source, /temporal\.toml/);
  });
});
