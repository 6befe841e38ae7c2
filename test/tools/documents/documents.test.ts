/**
 * Runs the commands of the documents, page by page, as written. Only addresses, the time between polls and the
 * placeholders of a page are replaced.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadClientConfigProfile } from '@temporalio/envconfig';
import { GROUP_OU } from '../../../dev/simulated-directory/server.ts';
import { STATUS_TABLE_NAME } from '../../../src/records/names.ts';
import { allPages, blocks, cliPages, read, root } from '../../docs/pages.ts';
import { codecServer } from '../../end-to-end/codec-server-program.ts';
import { ACCOUNT, inputFor, letSucceed, until } from '../../support/stack.ts';
import { RESOURCE, ROLE, startSurroundings, type Surroundings } from './surroundings.ts';

interface Run {
  /** Sets up what the page assumes before the block. */
  given?: () => Promise<void>;
  /** Runs only these lines; {@link by} or {@link notRun} covers the others. */
  lines?: RegExp;
  by?: string;
  notRun?: string;
  /** Replaces parts of the commands. */
  change?: (commands: string) => string;
  settings?: () => Record<string, string>;
  /** Called with each chunk of output. */
  onOutput?: (chunk: string) => void;
  /** The expected output, or a check of what must hold afterwards. */
  shows: RegExp | ((output: string) => void | Promise<void>);
}

/** A block that a test file or `.ci/run` runs, unchanged or in parts, or that nothing runs, and why. */
type Elsewhere = { by: string } | { notRun: string };

const COMPLETE = /COMPLETE/;
const BOTH_COMPLETE = /^COMPLETE +2$/m;
const NO_FINDING = /^findings: 0, /m;
/** The role in decrypted output. */
const DECRYPTED = /"custom_role_name": ?"data-reader"/;
const PASSED = /^ℹ fail 0$/m;
/** The test that parses the arguments of blocks that are not run. */
const ARGUMENTS: Elsewhere = { by: 'test/docs/commands.test.ts' };
const IMAGE: Elsewhere = { by: 'test/tools/image-steps.test.ts' };
const CLUSTER: Elsewhere = { by: 'test/tools/kubernetes/cluster/moves.test.ts' };
const LONG = 'it takes hours';

const block = (path: string, index: number) => blocks(read(path), 'sh')[index] ?? '';

/** Parses the output of `env`. */
function variablesIn(output: string): Record<string, string> {
  const pairs = output.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]);
  return Object.fromEntries(pairs);
}

describe('the documents', () => {
  let on: Surroundings;
  before(async () => {
    on = await startSurroundings(block('docs/encryption.md', 0));
  });
  after(() => on.stop());

  const inputFile = () => on.put('input.json', JSON.stringify(on.request()));
  const built = () => on.start({ polls: 0 }, ['--wait']);
  const running = () => on.start({ outcome: 'NEVER' });
  const directorySettings = () => on.directory.settings;

  const PAGES: Record<string, (Run | Elsewhere)[]> = {
    'README.md': [
      { by: '.ci/run' },
      {
        given: async () => {
          await mkdir(join(on.checkout.folder, '.dev'), { recursive: true });
          const settings = Object.entries(on.stack.settings).map(([name, value]) => `export ${name}='${value}'\n`);
          await on.put('.dev/settings.env', settings.join(''));
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
    'docs/batch.md': [{ shows: BOTH_COMPLETE }, { shows: /^lines +0$/m }],
    'docs/benchmarks.md': [
      {
        change: (commands) => commands.replace('--quick', '--quick events'),
        shows: /history events of a build of 2 polls/,
      },
    ],
    'docs/callers.md': [{ given: inputFile, shows: COMPLETE }],
    'docs/decisions.md': [{ by: '.ci/run' }],
    'docs/deployment.md': [
      IMAGE,
      {
        given: () => on.put('api-key', 'example-not-a-key'),
        change: (commands) => `${commands}env`,
        shows: (output) => {
          const { address, namespace, apiKey } = loadClientConfigProfile({
            disableFile: true,
            overrideEnvVars: variablesIn(output),
          });
          assert.deepEqual(
            [address, namespace, apiKey],
            ['eu-west-1.aws.api.temporal.io:7233', 'role-builds.a1b2c', 'example-not-a-key'],
          );
        },
      },
      {
        change: (commands) => `${commands}env`,
        shows: (output) => {
          const { address, tls } = loadClientConfigProfile({
            disableFile: true,
            overrideEnvVars: variablesIn(output),
          });
          const folder = '/etc/iam-orchestrator';
          assert.equal(address, 'temporal.internal.example:7233');
          assert.deepEqual(tls, {
            disabled: false,
            serverCACert: { path: `${folder}/temporal-ca.pem` },
            clientCert: { path: `${folder}/client.pem` },
            clientKey: { path: `${folder}/client.key` },
          });
        },
      },
      { by: 'test/slow/tls.test.ts' },
    ],
    'docs/directory.md': [
      {
        change: (commands) =>
          `set -a\n${commands
            .replace('ldaps://dc1.corp.example.com', on.directory.url)
            .replace('/etc/ssl/corp-ca.pem', on.directory.settings['DIRECTORY_CA_FILE'] ?? '')
            .replace('/run/secrets/directory-password', on.directory.settings['DIRECTORY_PASSWORD_FILE'] ?? '')
            .replace('OU=AWS Roles,DC=corp,DC=example,DC=com', GROUP_OU)}role-build doctor --directory`,
        shows: NO_FINDING,
      },
      { settings: directorySettings, shows: NO_FINDING },
      { by: 'test/tools/kubernetes/directory.test.ts' },
      { shows: /AWS-123456789012-data-reader/ },
    ],
    'docs/encryption.md': [
      {
        change: (commands) => `${commands.replaceAll('keys.txt', 'another-keys.txt')}role-build config`,
        shows: /ENCRYPTION_KEYS_FILE .*another-keys\.txt/,
      },
      {
        change: (commands) => `${commands}env`,
        shows: async (output) => {
          const settings = Object.entries(variablesIn(output)).filter(([name]) => name.startsWith('CODEC_SERVER_'));
          assert.equal(settings.length, 6);
          const server = codecServer({
            ...Object.fromEntries(settings),
            ENCRYPTION_KEYS_FILE: join(on.checkout.folder, 'keys.txt'),
            CODEC_SERVER_ADDRESS: '127.0.0.1:0',
          });
          const { port } = JSON.parse(await server.lineWith('codec server listening')) as { port: number };
          const { status } = await fetch(`http://127.0.0.1:${port}/decode`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-namespace': 'default' },
            body: '{"payloads":[]}',
          });
          await server.stop();
          assert.equal(status, 401);
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
          const rules = await readFile(join(on.checkout.folder, 'alerts.yaml'), 'utf8');
          assert.match(rules, /https:\/\/git\.example\.com\/iam-orchestrator\/blob\/main\/docs\/operations\.md#/);
        },
      },
      {
        given: async () => {
          const trigger = Array.from({ length: 3 }, () => ({ drop: 'after' as const }));
          const stdin = JSON.stringify(on.request({ trigger }));
          const { code } = await on.stack.cli(['start', '--input', '-', '--wait'], { stdin });
          assert.equal(code, 1);
        },
        shows: (output) => {
          const next = `role-build resume ${ACCOUNT} '${RESOURCE}' --wait`;
          assert.ok(output.includes(`${on.lastRequest()}\t${next}`), output);
        },
      },
      { settings: directorySettings, shows: NO_FINDING },
    ],
    'docs/reliability.md': [{ by: '.ci/run' }],
    'docs/settings.md': [{ shows: /BUILD_API_ALLOWED_ORIGINS/ }],
    'docs/traces.md': [
      {
        given: inputFile,
        change: (commands) =>
          `export ${commands.replace('http://localhost:4318', on.collector.url)}role-build start --input input.json --wait`,
        shows: () => until('a span came', () => on.collector.spans().length > 0),
      },
      { notRun: 'it needs a Docker engine' },
    ],
    'bench/README.md': [
      {
        lines: /throughput ready/,
        notRun: LONG,
        change: (commands) => commands.replace('-- throughput ready', '-- --quick ready'),
        shows: /worker ready to poll after its start/,
      },
    ],
    'deploy/encryption/README.md': [
      { given: () => on.start({ polls: 0 }, [], { ENCRYPTION_KMS_KEY_ARNS: '' }), shows: DECRYPTED },
      {
        given: async () => {
          await on.ended();
          await built();
          const [show = ''] = block('deploy/encryption/README.md', 0).split('\nDATA_KEY=');
          const shown = await on.checkout.run(show);
          assert.equal(shown.code, 0, shown.output);
        },
        shows: DECRYPTED,
      },
    ],
    'deploy/iam/README.md': [{ shows: (output) => void JSON.parse(output) }],
  };

  /** How to run the examples of each command. */
  const EXAMPLES: Record<string, Run> = {
    batch: { shows: BOTH_COMPLETE },
    cancel: { given: running, shows: /CANCELLED/ },
    completion: {
      lines: / bash/,
      by: 'test/end-to-end/cli-alone.test.ts',
      change: (commands) => `${commands}complete -p role-build`,
      shows: /role-build/,
    },
    config: { shows: /BUILD_API_ALLOWED_ORIGINS/ },
    doctor: { shows: NO_FINDING },
    history: { given: built, shows: COMPLETE },
    list: { given: built, shows: COMPLETE },
    open: { given: built, shows: /^http/ },
    resume: {
      given: async () => {
        const status = Array.from({ length: 3 }, () => ({ status: 503 }));
        const stdin = JSON.stringify(on.request({ polls: 0, status }));
        const { code } = await on.stack.cli(['start', '--input', '-', '--wait'], { stdin });
        assert.equal(code, 1);
      },
      // With a credential, the command would ask where to send it.
      change: (commands) => `unset ENCRYPTED_JWT\n${commands}`,
      shows: COMPLETE,
    },
    setup: { shows: /was there/ },
    start: {
      given: inputFile,
      shows: async (output) => {
        assert.match(output, COMPLETE);
        await on.ended();
      },
    },
    status: { given: built, change: (commands) => commands.replace('ID', on.lastRequest()), shows: COMPLETE },
    watch: {
      given: async () => {
        await built();
        const stdin = JSON.stringify(inputFor(on.stack, 'watched', { outcome: 'NEVER' }));
        await on.stack.cli(['start', '--input', '-'], { stdin });
        const listed = () => on.stack.cli(['list', '--role', 'watched', '--json']);
        await until('Temporal lists it', async () => (await listed()).stdout !== '');
      },
      // Only now, since the command finds only running builds.
      onOutput: (chunk) => {
        if (chunk.includes('#watched')) letSucceed(on.stack, inputFor(on.stack, 'watched'));
      },
      shows: /watched.*COMPLETE/,
    },
  };
  for (const { path } of cliPages) {
    const example = EXAMPLES[/(\w+)\.md$/.exec(path)?.[1] ?? ''];
    if (example !== undefined) PAGES[path] = [ARGUMENTS, example];
  }

  /** Puts a status record as an execution of Step Functions leaves it. */
  async function heldByStepFunctions(): Promise<void> {
    const { build_body, correlation_id, trace_header } = on.request();
    const item = {
      account_id: { S: ACCOUNT },
      resource: { S: RESOURCE },
      build_type: { S: build_body.build_type },
      action: { S: build_body.action },
      custom_role_name: { S: ROLE },
      dry_run: { BOOL: false },
      correlation_id: { S: correlation_id },
      trace_header: { S: trace_header },
      job_id: { S: 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1' },
      start_at: { S: '2026-01-31T12:00:00.000Z' },
      status: { S: 'IN_PROGRESS' },
    };
    const put = `aws dynamodb put-item --table-name ${STATUS_TABLE_NAME} --item '${JSON.stringify(item)}'`;
    const { code, output } = await on.checkout.run(put);
    assert.equal(code, 0, output);
  }

  /** Replaces addresses and the wait between polls by those of the stack. */
  const here = (commands: string) =>
    commands
      .replaceAll(/https:\/\/builds\.example\.com|http:\/\/127\.0\.0\.1:8090/g, on.stack.buildApiUrl)
      .replaceAll('temporal-namespace=default', `temporal-namespace=${on.stack.temporal.namespace}`)
      .replaceAll(/\\\n */g, '')
      .replaceAll(/(role-build(?: --)? (?:start --account|batch) .*)$/gm, '$1 --poll-interval-seconds 1');

  function scriptOf({ lines, change }: Run, commands: string): string {
    const chosen =
      lines === undefined
        ? commands
        : commands
            .split(/(?<=\n)/)
            .filter((line) => lines.test(line))
            .join('');
    return change?.(chosen) ?? chosen;
  }

  it('the documents have only blocks of commands that run here, or that are listed with what runs them', () => {
    const counted = allPages
      .map(({ path, text }) => [path, blocks(text, 'sh').length] as const)
      .filter(([, count]) => count > 0);
    assert.deepEqual(
      Object.fromEntries(counted),
      Object.fromEntries(Object.entries(PAGES).map(([path, runs]) => [path, runs.length])),
    );
    const elsewhere = Object.values(PAGES).flatMap((runs) => runs.flatMap((run) => ('by' in run && run.by) || []));
    assert.deepEqual(
      elsewhere.filter((file) => !existsSync(join(root, file))),
      [],
    );
  });

  for (const [path, runs] of Object.entries(PAGES)) {
    it(`the documents' page ${path} has commands that do what the page says`, async () => {
      for (const [index, run] of runs.entries()) {
        if (!('shows' in run)) continue;
        await run.given?.();
        const script = scriptOf(run, here(block(path, index)));
        const { code, output } = await on.checkout.run(script, run.settings?.(), run.onOutput);
        assert.equal(code, 0, `${script}\n${output}`);
        if (run.shows instanceof RegExp) assert.match(output, run.shows, script);
        else await run.shows(output);
      }
    });
  }
});
