/**
 * The commands of the documents, page by page, as they stand there: in a copy of the checkout, with a stack that has workers.
 * Only addresses and the time between polls are changed. What is run elsewhere says where; of `docker` and `kind`, which need
 * an engine, the arguments alone are held to what there is (test/docs/commands.test.ts).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { installOnce } from '../../../dev/servers/cache.ts';
import { startDirectory, type DirectoryServer } from '../../../dev/servers/directory.ts';
import { findTemporalCli } from '../../../dev/servers/temporal-binaries.ts';
import type { Simulate } from '../../../dev/simulated-build-api/server.ts';
import { GROUP_OU } from '../../../dev/simulated-directory/server.ts';
import { STATUS_TABLE_NAME } from '../../../src/records/names.ts';
import { allPages, blocks, cliPages, read, root } from '../../docs/pages.ts';
import { startKmsServer, type KmsServer } from '../../encryption/kms-server.ts';
import { codecServer } from '../../end-to-end/codec-server-program.ts';
import { startOtlpReceiver, type OtlpReceiver } from '../../support/otlp-receiver.ts';
import { PROGRAMS } from '../../support/programs.ts';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from '../../support/stack.ts';
import { copyCheckout, type Checkout } from './checkout.ts';

const PYTHON_PACKAGES = ['awscli==1.46.3', 'cryptography==50.0.2'];
const INSTALL_TIMEOUT_MS = 10 * 60_000;
const KMS_KEY = 'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001';
const ROLE = 'data-reader';
const RESOURCE = `iam_role#${ROLE}`;

/** A block that is run here. */
interface Run {
  /** What the block needs that stands before it on the page. */
  given?: () => Promise<void>;
  /** Only these of its lines; {@link by} says who runs the others. */
  lines?: RegExp;
  by?: string;
  /** What it has to have replaced. */
  change?: (commands: string) => string;
  settings?: () => Record<string, string>;
  /** What it prints, or what must hold afterwards. */
  shows: RegExp | ((output: string) => void | Promise<void>);
}

/** A block that a test file or `.ci/run` runs, as it is or in parts. */
interface Elsewhere {
  by: string;
}

const COMPLETE = /COMPLETE/;
/** The role, in what a program decrypted. */
const DECRYPTED = /"custom_role_name": ?"data-reader"/;
const PASSED = /^ℹ fail 0$/m;
const ARGUMENTS: Elsewhere = { by: 'test/docs/commands.test.ts' };
const IMAGE: Elsewhere = { by: 'test/tools/image-steps.test.ts' };
const CLUSTER: Elsewhere = { by: 'test/tools/kubernetes/cluster/moves.test.ts' };

describe('the commands of', () => {
  let stack: TestStack;
  let checkout: Checkout;
  let directory: DirectoryServer;
  let kms: KmsServer;
  let collector: OtlpReceiver;
  let requests = 0;

  before(async () => {
    [stack, directory, kms, collector] = await Promise.all([
      startTestStack(),
      startDirectory(),
      startKmsServer([KMS_KEY]),
      startOtlpReceiver(),
    ]);
    checkout = await copyCheckout(stack.settings);
    const packages = await installOnce(PYTHON_PACKAGES.join('+'), async (folder) => {
      const install = ['-m', 'pip', 'install', '--quiet', '--target', folder, ...PYTHON_PACKAGES];
      await promisify(execFile)('python3', install, { timeout: INSTALL_TIMEOUT_MS });
    });
    await checkout.addProgram('role-build', `'${process.execPath}' '${PROGRAMS.client}'`);
    await checkout.addProgram('temporal', `'${await findTemporalCli()}'`);
    await checkout.addProgram('aws', `env PYTHONPATH='${packages}' python3 -m awscli`);
    await checkout.addProgram('python3', `env PYTHONPATH='${packages}' '${await pathOf('python3')}'`);
    // What the page on encryption makes, and every page's programs have from then on.
    assert.equal((await checkout.run(block('docs/encryption.md', 0))).code, 0);
    stack.settings['ENCRYPTION_KEYS_FILE'] = join(checkout.folder, 'keys.txt');
    Object.assign(stack.settings, { ENCRYPTION_KMS_KEY_ARNS: KMS_KEY, AWS_ENDPOINT_URL_KMS: kms.endpoint });
    stack.settings['AWS_DEFAULT_REGION'] = stack.settings['AWS_REGION'] ?? '';
    await stack.startWorker({ settings: directory.settings });
    await put('credential', 'example-ciphertext-not-a-credential\n');
    await put('roles.csv', `account_id,custom_role_name\n${ACCOUNT},from-a-file\n${ACCOUNT},from-a-file-too\n`);
  });
  after(async () => {
    await stack.stop();
    await Promise.all([directory.stop(), kms.stop(), collector.stop()]);
    await checkout.remove();
  });

  const put = (file: string, content: string) => writeFile(join(checkout.folder, file), content);
  const pathOf = async (program: string) =>
    (await promisify(execFile)('bash', ['-c', `command -v ${program}`])).stdout.trim();

  /** The input of one more request for the documents' role. */
  function request(simulate: Simulate = { polls: 0 }) {
    requests += 1;
    return { ...inputFor(stack, ROLE, simulate), correlation_id: `request-${requests}` };
  }
  const inputFile = () => put('input.json', JSON.stringify(request()));
  /** Starts a build of the documents' role. */
  async function start(simulate: Simulate, flags: string[] = [], settings: Record<string, string> = {}): Promise<void> {
    const stdin = JSON.stringify(request(simulate));
    const { code, stderr } = await stack.cli(['start', '--input', '-', ...flags], { stdin, settings });
    assert.equal(code, 0, stderr);
  }
  const built = () => start({ polls: 0 }, ['--wait']);
  const running = () => start({ outcome: 'NEVER' });
  const ended = () => stack.cli(['watch', ACCOUNT, RESOURCE]);

  /** The lines of a shell's export, given to a program that shows the settings in force. */
  const inForce = (...names: string[]): Pick<Run, 'change' | 'shows'> => ({
    change: (commands) => `${commands}role-build config --json`,
    shows: (output) => {
      const { settings } = JSON.parse(output) as { settings: { name: string; source: string; fault?: string }[] };
      for (const name of names) {
        const found = settings.find((one) => one.name === name);
        assert.deepEqual([found?.source, found?.fault], ['environment', undefined], `${name}: ${output}`);
      }
    },
  });

  const PAGES: Record<string, (Run | Elsewhere)[]> = {
    'README.md': [
      { by: '.ci/run' },
      {
        given: async () => {
          await mkdir(join(checkout.folder, '.dev'));
          const settings = Object.entries(stack.settings).map(([name, value]) => `export ${name}='${value}'\n`);
          await put('.dev/settings.env', settings.join(''));
        },
        shows: COMPLETE,
      },
    ],
    'CONTRIBUTING.md': [{ lines: /validate-input/, by: '.ci/run', shows: PASSED }],
    'docs/architecture.md': [
      { shows: PASSED },
      { change: (commands) => commands.replace('NAME', 'trigger-refused'), shows: PASSED },
      { shows: PASSED },
    ],
    'docs/batch.md': [
      {
        settings: credential,
        shows: /2/,
      },
      { settings: credential, shows: /0/ },
    ],
    'docs/benchmarks.md': [{ change: (commands) => commands.replace('--quick', '--quick events'), shows: /events/ }],
    'docs/callers.md': [{ given: inputFile, shows: COMPLETE }],
    'docs/decisions.md': [{ by: '.ci/run' }],
    'docs/deployment.md': [
      IMAGE,
      {
        given: () => put('api-key', 'example-not-a-key'),
        ...inForce('TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY', 'TEMPORAL_UI_URL'),
      },
      inForce('TEMPORAL_ADDRESS', 'TEMPORAL_TLS'),
      { by: 'test/slow/tls.test.ts' },
    ],
    'docs/directory.md': [
      {
        change: (commands) =>
          `set -a\n${commands
            .replace('ldaps://dc1.corp.example.com', directory.url)
            .replace('/etc/ssl/corp-ca.pem', directory.settings['DIRECTORY_CA_FILE'] ?? '')
            .replace('/run/secrets/directory-password', directory.settings['DIRECTORY_PASSWORD_FILE'] ?? '')
            .replace('OU=AWS Roles,DC=corp,DC=example,DC=com', GROUP_OU)}role-build doctor --directory`,
        shows: /findings: 0/,
      },
      { settings: () => directory.settings, shows: /findings: 0/ },
      { by: 'test/tools/kubernetes/directory.test.ts' },
      { settings: credential, shows: /AWS-123456789012-data-reader/ },
    ],
    'docs/encryption.md': [
      {
        change: (commands) => `${commands.replaceAll('keys.txt', 'another-keys.txt')}role-build config`,
        shows: /ENCRYPTION_KEYS_FILE .*another-keys\.txt/,
      },
      {
        change: (commands) => `${commands}env`,
        shows: async (output) => {
          const pairs = output.split('\n').filter((line) => line.startsWith('CODEC_SERVER_'));
          const settings = Object.fromEntries(pairs.map((line) => line.split(/=(.*)/s, 2) as [string, string]));
          assert.equal(settings['CODEC_SERVER_ADDRESS'], '0.0.0.0:8081');
          const keys = { ENCRYPTION_KEYS_FILE: join(checkout.folder, 'keys.txt') };
          const server = codecServer({ ...settings, ...keys, CODEC_SERVER_ADDRESS: '127.0.0.1:0' });
          const { port } = JSON.parse(await server.lineWith('codec server listening')) as { port: number };
          const headers = { 'content-type': 'application/json', 'x-namespace': 'default' };
          const asked = await fetch(`http://127.0.0.1:${port}/decode`, {
            method: 'POST',
            headers,
            body: '{"payloads":[]}',
          });
          await server.stop();
          assert.equal(asked.status, 401);
        },
      },
    ],
    'docs/kubernetes.md': blocks(read('docs/kubernetes.md'), 'sh').map(() => CLUSTER),
    'docs/moving-from-step-functions.md': [
      { given: heldByStepFunctions, shows: /arn:aws:states/ },
      { given: inputFile, shows: COMPLETE },
    ],
    'docs/operations.md': [
      { given: built, shows: COMPLETE },
      {
        shows: async () => {
          const rules = await readFile(join(checkout.folder, 'alerts.yaml'), 'utf8');
          assert.match(rules, /https:\/\/git\.example\.com\/iam-orchestrator\/blob\/main\/docs\/operations\.md#/);
        },
      },
      { settings: () => directory.settings, shows: /findings: 0/ },
    ],
    'docs/reliability.md': [{ by: '.ci/run' }],
    'docs/settings.md': [{ shows: /BUILD_API_ALLOWED_ORIGINS/ }],
    'docs/traces.md': [
      {
        given: inputFile,
        change: (commands) =>
          `export ${commands.replace('http://localhost:4318', collector.url).trim()}\nrole-build start --input input.json --wait`,
        shows: () => until('a span came', () => collector.spans().length > 0),
      },
      ARGUMENTS,
    ],
    'bench/README.md': [
      {
        lines: /throughput ready/,
        // The full form takes hours, and writes that page.
        by: 'docs/benchmarks.md',
        change: (commands) => commands.replace('-- throughput ready', '-- --quick ready'),
        shows: /ready/,
      },
    ],
    'deploy/encryption/README.md': [
      {
        given: () => start({ polls: 0 }, [], { ENCRYPTION_KMS_KEY_ARNS: '' }),
        shows: DECRYPTED,
      },
      {
        given: async () => {
          await ended();
          await built();
          const [show = ''] = block('deploy/encryption/README.md', 0).split('\nDATA_KEY=');
          assert.equal((await checkout.run(show)).code, 0);
        },
        shows: DECRYPTED,
      },
    ],
    'deploy/iam/README.md': [{ shows: (output) => void JSON.parse(output) }],
  };

  function credential() {
    return { ENCRYPTED_JWT: 'example-ciphertext-not-a-credential' };
  }

  /** A status record as an execution of Step Functions leaves it. */
  async function heldByStepFunctions(): Promise<void> {
    const client = new DynamoDBClient({
      region: 'us-east-1',
      endpoint: stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const job = 'arn:aws:states:eu-west-1:123456789012:execution:role-build:1';
    const { build_body, correlation_id, trace_header } = request();
    const Item = {
      account_id: { S: ACCOUNT },
      resource: { S: RESOURCE },
      build_type: { S: build_body.build_type },
      action: { S: build_body.action },
      custom_role_name: { S: build_body.custom_role_name },
      dry_run: { BOOL: false },
      correlation_id: { S: correlation_id },
      trace_header: { S: trace_header },
      job_id: { S: job },
      start_at: { S: '2026-01-31T12:00:00.000Z' },
      status: { S: 'IN_PROGRESS' },
    };
    await client.send(new PutItemCommand({ TableName: STATUS_TABLE_NAME, Item }));
    client.destroy();
  }

  /** The examples of each command, after how it is used. */
  const EXAMPLES: Record<string, Run> = {
    batch: { settings: credential, shows: /2/ },
    cancel: { given: running, shows: /CANCELLED/ },
    completion: {
      lines: / bash/,
      by: 'test/end-to-end/cli-alone.test.ts',
      change: (commands) => `${commands}complete -p role-build`,
      shows: /role-build/,
    },
    config: { shows: /BUILD_API_ALLOWED_ORIGINS/ },
    doctor: { shows: /findings: 0/ },
    history: { given: built, shows: COMPLETE },
    list: { given: built, shows: COMPLETE },
    open: { given: built, shows: /^http/ },
    resume: {
      given: async () => {
        const unavailable = { status: 503 };
        const stdin = JSON.stringify(request({ polls: 0, status: [unavailable, unavailable, unavailable] }));
        const { code } = await stack.cli(['start', '--input', '-', '--wait'], { stdin });
        assert.equal(code, 1);
      },
      shows: COMPLETE,
    },
    setup: { shows: /was there/ },
    start: { given: inputFile, shows: async (output) => (assert.match(output, COMPLETE), void (await ended())) },
    status: { given: built, change: (commands) => commands.replace('ID', `request-${requests}`), shows: COMPLETE },
    watch: {
      given: async () => {
        await built();
        const stdin = JSON.stringify(inputFor(stack, 'watched', { polls: 5 }));
        await stack.cli(['start', '--input', '-'], { stdin });
      },
      shows: /watched.*COMPLETE/,
    },
  };
  for (const { path } of cliPages) {
    const command = /(\w+)\.md$/.exec(path)?.[1] ?? '';
    const example = EXAMPLES[command];
    if (example !== undefined) PAGES[path] = [ARGUMENTS, example];
  }

  const block = (path: string, index: number) => blocks(read(path), 'sh')[index] ?? '';

  /** Addresses and the wait between polls are the stack's. */
  const here = (commands: string) =>
    commands
      .replaceAll(/https:\/\/builds\.example\.com|http:\/\/127\.0\.0\.1:8090/g, stack.buildApiUrl)
      .replaceAll('temporal-namespace=default', `temporal-namespace=${stack.temporal.namespace}`)
      .replaceAll(/\\\n */g, '')
      .replaceAll(/(role-build(?: --)? (?:start --account|batch) .*)$/gm, '$1 --poll-interval-seconds 1');

  it('each block of commands of each page is run here, or by what is named', () => {
    const counted = allPages
      .map(({ path, text }) => [path, blocks(text, 'sh').length] as const)
      .filter(([, count]) => count > 0);
    assert.deepEqual(
      Object.fromEntries(counted),
      Object.fromEntries(Object.entries(PAGES).map(([path, runs]) => [path, runs.length])),
    );
    const elsewhere = Object.values(PAGES).flatMap((runs) => runs.flatMap(({ by }) => by ?? []));
    assert.deepEqual(
      elsewhere.filter((file) => !existsSync(join(root, file))),
      [],
    );
  });

  for (const [path, runs] of Object.entries(PAGES)) {
    it(`the commands of ${path} do what the page says`, async () => {
      for (const [index, run] of runs.entries()) {
        if (!('shows' in run)) continue;
        await run.given?.();
        const commands = here(block(path, index));
        const lines =
          run.lines === undefined
            ? commands
            : `${commands
                .split('\n')
                .filter((line) => run.lines?.test(line))
                .join('\n')}\n`;
        const script = run.change?.(lines) ?? lines;
        const { code, output } = await checkout.run(script, run.settings?.());
        assert.equal(code, 0, `${script}\n${output}`);
        if (run.shows instanceof RegExp) assert.match(output, run.shows);
        else await run.shows(output);
      }
    });
  }
});
