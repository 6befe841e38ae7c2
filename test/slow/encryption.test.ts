/** Builds with encryption on: what Temporal keeps of them, and how they fare when keys change or are missing. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createDataConverter, readEncryptionSettings, startRoleBuild } from '../../src/index.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { startKmsServer, type KmsServer } from '../encryption/kms-server.ts';
import { loadedIn } from '../support/print-loaded.ts';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, startTestStack, until, type TestStack } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

const [A, B] = [newKey('key-a'), newKey('key-b')];
const KMS_KEY = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001';
const ENCRYPTED = { ENCRYPTION_KEYS: keysText(A), ENCRYPTION_REQUIRED: 'true' };

describe('what Temporal keeps of an encrypted build', () => {
  const MESSAGE = 'canary-message-of-the-build-api';
  const BUILD_BODY = 'canary-in-the-build-body';
  let folder: string;
  let stack: TestStack;
  let workerOutput = '';
  const results: { code: number | null; status: unknown }[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'encrypted-'));
    const dbFile = join(folder, 'temporal.db');
    stack = await startTestStack({ temporal: { uiPort: false, dbFile }, settings: ENCRYPTED });
    const worker = await stack.startWorker({
      settings: { LOG_LEVEL: 'trace' },
      onOutput: (chunk) => (workerOutput += chunk),
    });
    const faults = { status: 503, body: { message: MESSAGE } };
    const shapes: [string, Parameters<typeof inputFor>[2], Partial<RoleBuildInput>][] = [
      ['complete', { polls: 1 }, {}],
      ['failed', { polls: 0, outcome: 'FAILED', message: MESSAGE }, {}],
      ['retried', { polls: 0, trigger: [faults], status: [faults] }, {}],
      ['refused', { polls: 0, trigger: [{ status: 400, body: { message: MESSAGE } }] }, {}],
      ['elsewhere', {}, { url: 'http://127.0.0.1:9' }],
    ];
    await Promise.all(
      shapes.map(async ([name, simulate, more]) => {
        const input = inputFor(stack, name, simulate, more);
        Object.assign(input.build_body, { note: BUILD_BODY });
        const { code, json } = await stack.build(input);
        results.push({ code, status: json['status'] });
      }),
    );
    const cancelled = inputFor(stack, 'cancelled', { outcome: 'NEVER' });
    const ended = stack.build(cancelled);
    await until('it polls', () => stack.buildApi.requests(cancelled.correlation_id).length > 1);
    await stack.cli(['cancel', ACCOUNT, cancelled.ddb_composite_sort_key, '--wait']);
    results.push({ code: (await ended).code, status: (await ended).json['status'] });
    await worker.stop();
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('encrypted builds end as others do', () => {
    const statuses = results.map(({ code, status }) => `${code} ${String(status)}`).sort();
    assert.deepEqual(statuses, ['0 COMPLETE', '0 COMPLETE', '1 CANCELLED', '1 FAILED', '1 FAILED', '1 FAILED']);
  });

  it('what Temporal keeps of an encrypted build holds no input, result, summary, detail or failure message in the clear', async () => {
    await stack.temporal.stop();
    const files = await readdir(folder);
    const bytes = Buffer.concat(await Promise.all(files.map((file) => readFile(join(folder, file)))));
    // The search finds what is there.
    assert.ok(bytes.includes('upsertRequestRecord') && bytes.includes(Buffer.from('binary/encrypted')));
    for (const canary of [
      CREDENTIAL,
      MESSAGE,
      BUILD_BODY,
      'custom_role_name',
      'last_status',
      'create iam_role',
      'WaitForBuildStatus',
      'POST /build',
      'status record: IN_PROGRESS',
      'role-build.ts',
      'ended with FAILED',
      'answered 503',
      'BUILD_API_ALLOWED_ORIGINS',
      keysText(A).split(':')[1] as string,
    ]) {
      for (const form of [
        canary,
        Buffer.from(canary)
          .toString('base64')
          .replace(/.{4}=*$/, ''),
      ]) {
        const at = bytes.indexOf(form);
        assert.equal(at, -1, `${canary}: ${bytes.subarray(Math.max(0, at - 60), at + 90).toString('latin1')}`);
      }
    }
  });

  it('the worker’s log of an encrypted build holds no credential and no key', () => {
    assert.match(workerOutput, /"encryptionKey":"key-a"/);
    assert.ok(!workerOutput.includes(CREDENTIAL));
    assert.ok(!workerOutput.includes(keysText(A).split(':')[1] as string));
  });
});

describe('an encrypted build', () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack({ temporal: { uiPort: false }, settings: { ENCRYPTION_KEYS: keysText(A) } });
  });
  after(() => stack.stop());

  it('an encrypted build waits while no worker has its key, and goes on with one that has the old and the new', async () => {
    const input = inputFor(stack, 'rotated', { outcome: 'NEVER' });
    const first = await stack.startWorker();
    const started = await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    assert.equal(started.code, 0, started.stderr);
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).length > 1);
    await first.kill();

    const without = await stack.startWorker({ settings: { ENCRYPTION_KEYS: keysText(B) } });
    await until('it says which key is missing', () =>
      without
        .output()
        .includes('the payload is encrypted with the key \\"key-a\\", which is not among the keys given here'),
    );
    await without.stop();
    const { status } = await stack.records(input);
    assert.equal(status?.['status']?.S, 'IN_PROGRESS');

    const rotated = { ENCRYPTION_KEYS: keysText(B, A) };
    const second = await stack.startWorker({ settings: rotated });
    letSucceed(stack, input);
    const watched = await stack.cli(['watch', ACCOUNT, input.ddb_composite_sort_key], { settings: rotated });
    await second.stop();
    assert.equal(watched.code, 0, watched.stderr);
    const asked = stack.buildApi.requests(input.correlation_id);
    assert.equal(asked.filter(({ method }) => method === 'POST').length, 1);
  });

  it('an encrypted build loses none of its steps to workers without the key, or without any', async () => {
    const input = inputFor(stack, 'mixed', { polls: 0, trigger: [{ delay_ms: 1_500 }] });
    // This worker takes the workflow's tasks and, while it is busy, leaves activities to the others.
    const worker = await stack.startWorker();
    const others = await Promise.all([
      stack.startWorker({ settings: { ENCRYPTION_KEYS: keysText(B) } }),
      stack.startWorker({ settings: { ENCRYPTION_KEYS: '' } }),
    ]);
    const built = await stack.build(input);
    await Promise.all([worker, ...others].map((one) => one.stop()));
    assert.equal(built.code, 0, built.stderr);
    assert.equal(built.json['status'], 'COMPLETE');
  });

  it('an encrypted build is shown by the command line only with its key; otherwise exit code 2 names the missing key', async () => {
    const input = inputFor(stack, 'told', { polls: 0 });
    const worker = await stack.startWorker();
    await exitsWith(0, stack.build(input));
    await worker.stop();
    for (const keys of [keysText(B), '']) {
      for (const command of ['status', 'watch']) {
        const { code, stdout, stderr } = await stack.cli([command, ACCOUNT, input.ddb_composite_sort_key], {
          settings: { ENCRYPTION_KEYS: keys },
        });
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assert.match(
          stderr,
          /^role-build: .*encrypted with the key "key-a", which is not among the keys given here\ntry: .*ENCRYPTION_/,
        );
        assert.doesNotMatch(stderr, /^\s+at /m);
      }
    }
  });

  it('a build that was started in the clear goes on with encryption, unless encryption is required', async () => {
    const input = inputFor(stack, 'plain', { polls: 0 });
    const started = await stack.cli(['start', '--input', '-'], {
      stdin: JSON.stringify(input),
      settings: { ENCRYPTION_KEYS: '' },
    });
    assert.equal(started.code, 0, started.stderr);
    const strict = await stack.startWorker({ settings: ENCRYPTED });
    await until('it says why not', () => strict.output().includes('ENCRYPTION_REQUIRED refuses such payloads'));
    await strict.stop();
    assert.equal((await stack.records(input)).status, undefined);
    const worker = await stack.startWorker();
    const watched = await stack.cli(['watch', ACCOUNT, input.ddb_composite_sort_key]);
    await worker.stop();
    assert.equal(watched.code, 0, watched.stderr);
    const refused = await stack.cli(['status', ACCOUNT, input.ddb_composite_sort_key], { settings: ENCRYPTED });
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /^try: run the command without ENCRYPTION_REQUIRED to read it$/m);
  });

  it('another TypeScript program can start an encrypted build, and its history replays', async () => {
    const settings = readEncryptionSettings({ ENCRYPTION_KEYS: keysText(A) });
    const dataConverter = createDataConverter(settings, stack.temporal.namespace);
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ namespace: stack.temporal.namespace, connection, dataConverter });
    const input = inputFor(stack, 'library', { polls: 0, trigger: [{ status: 503 }], status: [{ status: 503 }] });
    const worker = await stack.startWorker();
    await startRoleBuild(client, input);
    const handle = client.workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key));
    const outcome = (await handle.result()) as { status: string };
    await worker.stop();
    assert.equal(outcome.status, 'COMPLETE');
    const history = await handle.fetchHistory();
    await connection.close();
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
    await Worker.runReplayHistory({ workflowsPath, dataConverter }, history, handle.workflowId);
  });
});

describe('with a key of AWS KMS', () => {
  let stack: TestStack;
  let kms: KmsServer;
  before(async () => {
    kms = await startKmsServer([KMS_KEY]);
    const settings = { ENCRYPTION_KMS_KEY_ARNS: KMS_KEY, AWS_ENDPOINT_URL_KMS: kms.endpoint };
    stack = await startTestStack({ temporal: { uiPort: false }, settings });
  });
  after(async () => {
    await stack.stop();
    await kms.stop();
  });

  it("a worker makes one data key for all its builds, and unwraps each caller's once", async () => {
    const worker = await stack.startWorker();
    const count = (operation: string) => kms.requests.filter((request) => request.operation === operation).length;
    assert.deepEqual([count('GenerateDataKey'), count('Decrypt')], [1, 1], 'its check at the start');
    const names = ['one', 'two', 'three'];
    for (const built of await Promise.all(names.map((name) => stack.build(inputFor(stack, name, { polls: 1 }))))) {
      assert.equal(built.json['status'], 'COMPLETE', built.stderr);
    }
    // Each command makes a data key, which the worker unwraps, and unwraps the worker's.
    assert.deepEqual([count('GenerateDataKey'), count('Decrypt')], [1 + 3, 1 + 2 * 3]);
    await worker.stop();
  });

  it("a worker that can't use the KMS key does not start", async () => {
    await assert.rejects(
      stack.startWorker({ settings: { AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:9' } }),
      /worker ended/,
    );
  });

  it('the KMS client is loaded only if a KMS key is set', async () => {
    const program = `
      import { createDataConverter, readEncryptionSettings } from './src/index.ts';
      const { payloadCodecs: [codec] } = createDataConverter(readEncryptionSettings(process.env), 'default');
      await codec.decode(await codec.encode([{ data: new Uint8Array(1) }]));
    `;
    const loads = async (env: Record<string, string>) => {
      const preload = new URL('../support/print-loaded.ts', import.meta.url).href;
      const args = ['--import', preload, '--input-type=module', '--eval', program];
      const cwd = new URL('../..', import.meta.url);
      const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
      const all = { ...process.env, ...credentials, AWS_ENDPOINT_URL_KMS: kms.endpoint, ...env };
      const { stderr } = await promisify(execFile)(process.execPath, args, { cwd, env: all });
      return loadedIn(stderr).some((url) => url.includes('/@aws-sdk/client-kms/'));
    };
    assert.equal(await loads({}), false);
    assert.equal(await loads({ ENCRYPTION_KEYS: keysText(newKey('local')) }), false);
    assert.equal(await loads({ ENCRYPTION_KMS_KEY_ARNS: KMS_KEY }), true);
  });
});
