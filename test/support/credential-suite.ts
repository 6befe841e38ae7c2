/**
 * Plants a credential and a directory's password, lets builds end in every way, and searches everything that the system
 * wrote for them.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { Client, Connection } from '@temporalio/client';
import { startDirectory, type DirectoryServer } from '../../dev/servers/directory.ts';
import { RESULT } from '../../dev/simulated-directory/messages.ts';
import type { CliOptions } from '../../dev/stack.ts';
import type { Fault, Simulate } from '../../dev/simulated-build-api/server.ts';
import { readEncryptionSettings } from '../../src/config/settings.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { createDataConverter } from '../../src/encryption/data-converter.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { canariesIn, CANARY, DIRECTORY_CANARY, ECHOES } from './canary.ts';
import { startLdapFront, type LdapFault, type LdapFront } from './ldap-front.ts';
import { processesToSearch, readProcess } from './processes.ts';
import { startOtlpReceiver, type OtlpReceiver } from './otlp-receiver.ts';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from './stack.ts';

const ENCRYPTION = { ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}` };

const all = (fault: Fault): Fault[] => [fault, fault, fault];

/** Builds for every way to end, with the credential in whatever the build API says. */
const BUILDS: Record<string, Simulate> = {
  success: { polls: 1 },
  'echo-in-build-id': { build_id: `b-${CANARY}` },
  'echo-in-build-id-in-part': { build_id: CANARY.slice(0, 40) },
  'echo-in-status': { status: [{ body: { build_status: CANARY, can_retry: false } }] },
  'echo-in-status-while-undecided': { polls: 0, status: [{ body: { build_status: CANARY, can_retry: true } }] },
  'echo-in-answer': { status: [{ body: { build_status: 'FAILED', request: { headers: { x: [CANARY] } } } }] },
  'echo-in-a-key': { status: [{ body: { build_status: 'FAILED', [CANARY]: 1 } }] },
  'echo-in-a-header': { trigger: [{ status: 400, headers: { 'x-echo': CANARY, location: `/?jwt=${CANARY}` } }] },
  'echo-in-a-redirect': { trigger: [{ status: 302, headers: { location: `http://127.0.0.1:9/${CANARY}` } }] },
  'echo-in-retry-after': { polls: 0, trigger: [{ status: 429, headers: { 'retry-after': CANARY } }] },
  'echo-behind-much': { trigger: [{ status: 400, text: `${'x'.repeat(970)}${CANARY}` }] },
  'echo-cut-short': { trigger: all({ drop: 'mid-body', body: { echo: CANARY } }) },
  'no-answer': { trigger: all({ hang: true }) },
  'broken-connection': { status: all({ drop: 'after' }) },
  'too-large': { trigger: [{ bytes: 2 * 1024 * 1024 }] },
  ...Object.fromEntries(
    Object.values(ECHOES).map((echo, i): [string, Simulate] => {
      const ways: Simulate[] = [
        { trigger: [{ status: 403, text: `<p>token ${echo} is not valid</p>` }] },
        { trigger: [{ status: 401, body: { message: `token ${echo} is not valid` } }] },
        { trigger: [{ text: `{"token": ${echo}, oops` }] },
        { polls: 0, outcome: 'FAILED', message: `token ${echo} is not valid` },
      ];
      return [`echo-${i}`, ways[i % ways.length] ?? {}];
    }),
  ),
  'echo-in-every-attempt': { trigger: all({ status: 500, body: { echo: ECHOES } }) },
  'echo-in-every-poll': { status: all({ status: 503, text: Object.values(ECHOES).join('\n') }) },
};

/** The fault of the first bind or add of each group. Builds run one after the other, since a bind names no build. */
const GROUPS: Record<string, { bind?: LdapFault; add?: LdapFault }> = {
  'group-made': {},
  'group-unanswered': { add: 'cut' },
  'group-refused': { add: { code: RESULT.insufficientAccessRights, message: 'no right' } },
  'bind-unanswered': { bind: 'cut' },
  'bind-not-now': { bind: { code: 52, message: `not now, ${DIRECTORY_CANARY}` } },
  'bind-refers': { bind: { code: RESULT.referral, message: DIRECTORY_CANARY, referrals: ['ldaps://127.0.0.1:9'] } },
  // Must be the last one: no group is created after it.
  'bind-refused': { bind: { code: RESULT.invalidCredentials, message: `${DIRECTORY_CANARY} is wrong, data 52e` } },
};

/** @param encrypted whether payloads are encrypted: then the credential must not be in Temporal's database either */
export function describeCredential({ encrypted }: { encrypted: boolean }): void {
  describe(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}`, () => {
    let stack: TestStack;
    let collector: OtlpReceiver;
    let directory: DirectoryServer;
    let front: LdapFront;
    let folder: string;
    let log = '';
    const printed: string[] = [];
    const commandLines: string[] = [];

    const input = (name: string, simulate: Simulate = {}, more: Partial<RoleBuildInput> = {}): RoleBuildInput =>
      inputFor(stack, name, simulate, { encrypted_jwt: CANARY, ...more });

    /** Runs a command and keeps all its output. */
    const cli = async (args: string[], options: CliOptions = {}) => {
      // As a process, because the system shows its arguments and environment to others.
      const isGivenFile = args.includes('--encrypted-jwt-file');
      const result = await (isGivenFile ? cliProcess(args, options) : stack.cli(args, options));
      printed.push(result.stdout, result.stderr);
      return result;
    };

    const cliProcess = async (args: string[], options: CliOptions) => {
      const running = stack.startCli(args, options);
      commandLines.push(await readFile(`/proc/${running.pid}/cmdline`, 'latin1').catch(() => ''));
      return running.result;
    };

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'credential-'));
      collector = await startOtlpReceiver();
      directory = await startDirectory({ password: DIRECTORY_CANARY });
      front = await startLdapFront(directory.url, directory.authority.issue('front', ['127.0.0.1']));
      stack = await startTestStack({
        temporal: {
          ...(encrypted ? { dbFile: join(folder, 'temporal.db') } : {}),
          log: join(folder, 'temporal.log'),
        },
        settings: {
          BUILD_API_TIMEOUT_SECONDS: '2',
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          ...(encrypted ? ENCRYPTION : {}),
        },
      });
      const settings = { LOG_LEVEL: 'trace', ...directory.settings, DIRECTORY_URL: front.url };
      const worker = () => stack.startWorker({ settings, onOutput: (chunk) => (log += chunk) });
      const first = await worker();
      const faults = new Map<string, ('throttle' | 'refuse' | 'lose-answer')[]>([
        ['upsert-fails', ['throttle', 'refuse', 'lose-answer']],
        ['insert-fails', ['lose-answer', 'lose-answer', 'throttle', 'throttle', 'throttle']],
      ]);
      stack.proxy.decide = ({ operation, request }) => {
        if (operation !== 'PutItem') return undefined;
        for (const [name, list] of faults) if (JSON.stringify(request).includes(`#${name}"`)) return list.shift();
        return undefined;
      };

      // Starts builds for every way to end at once, and waits for the workflows.
      const connection = await Connection.connect({ address: stack.temporal.address });
      const keys = readEncryptionSettings(encrypted ? ENCRYPTION : {});
      const client = new Client({
        namespace: stack.temporal.namespace,
        connection,
        dataConverter: createDataConverter(keys, stack.temporal.namespace),
      });
      const start = async (one: RoleBuildInput) => {
        const { code, stderr } = await cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(one) });
        assert.equal(code, 0, stderr);
      };
      const names = [...Object.keys(BUILDS), 'upsert-fails', 'insert-fails', 'worker-killed'];
      const inputs = names.map((name) =>
        input(name, name === 'worker-killed' ? { trigger: [{ delay_ms: 15_000 }] } : (BUILDS[name] ?? { polls: 0 })),
      );
      for (const one of inputs) await start(one);
      // The kill interrupts the POST; another attempt follows.
      await until('a POST is under way', () => stack.buildApi.requests('request-worker-killed').length >= 1);
      await first.kill();
      await worker();
      for (const one of inputs) {
        const handle = client.workflow.getHandle(`role-build:${ACCOUNT}:${one.ddb_composite_sort_key}`);
        await handle.result().catch(() => undefined);
      }
      for (const [name, atFirst] of Object.entries(GROUPS)) {
        front.sent = [];
        front.decide = (operation) =>
          (operation === 'bind' || operation === 'add') && front.count(operation) === 1
            ? atFirst[operation]
            : undefined;
        const one = input(name, { polls: 0 }, { directory_group: true });
        await start(one);
        const handle = client.workflow.getHandle(`role-build:${ACCOUNT}:${one.ddb_composite_sort_key}`);
        await handle.result().catch(() => undefined);
      }
      assert.equal(directory.groups().length, 4);
      await connection.close();
    });
    after(async () => {
      await stack.stop();
      await front.stop();
      await directory.stop();
      await collector.stop();
      await rm(folder, { recursive: true, force: true });
    });

    if (!encrypted)
      it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is neither printed by any command, even one that fails, nor in the arguments of its process`, async () => {
        const credential = join(folder, 'credential');
        await writeFile(credential, CANARY);
        const good = JSON.stringify(input('by-cli', { polls: 0 }));
        const flags = ['--account', ACCOUNT, '--role', 'flags', '--url', stack.buildApiUrl];
        const failed = ['echo-in-every-attempt'];
        const runs: Parameters<typeof cli>[] = [
          [
            ['start', '--input', '-', '--wait'],
            { stdin: JSON.stringify(input('cli-failed', BUILDS['echo-in-answer'])) },
          ],
          [['start', '--input', '-', '--json'], { stdin: good.replace(ACCOUNT, '1') }],
          [['start', '--input', '-', '--json'], { stdin: good.slice(0, -3) }],
          [['start', '--input', '-'], { stdin: `${good.slice(0, -1)},${JSON.stringify(CANARY)}` }],
          [
            ['start', '--input', '-', '--json'],
            { stdin: JSON.stringify({ ...input('x'), encrypted_jwt: `${CANARY}\n` }) },
          ],
          [['start', '--input', '-'], { stdin: JSON.stringify({ ...input('x'), encrypted_jwt: [CANARY] }) }],
          [['start', ...flags, '--encrypted-jwt-file', credential, '--json']],
          [['start', ...flags], { settings: { ENCRYPTED_JWT: CANARY } }],
          [['start', ...flags, '--role', 'stdin', '--encrypted-jwt-file', '-', '--json'], { stdin: CANARY }],
          [['start', '--input', '-', '--json'], { stdin: good, settings: { TEMPORAL_ADDRESS: '127.0.0.1:9' } }],
          [['start', '--input', '-'], { stdin: good, settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' } }],
          [['resume', ACCOUNT, 'iam_role#echo-in-every-poll', '--json'], { settings: { ENCRYPTED_JWT: CANARY } }],
          ...failed.flatMap((name): Parameters<typeof cli>[] => [
            [['status', ACCOUNT, `iam_role#${name}`]],
            [['status', '--correlation-id', `request-${name}`, '--json']],
          ]),
          [['watch', ACCOUNT, 'iam_role#echo-in-answer', '--json']],
          [['setup', '--json']],
        ];
        for (let i = 0; i < runs.length; i += 4) await Promise.all(runs.slice(i, i + 4).map((run) => cli(...run)));
        for (const text of printed) assert.deepEqual(canariesIn(text), [], text.slice(0, 1_000));
        for (const line of commandLines) assert.deepEqual(canariesIn(line), [], line);
        assert.ok(commandLines.some((line) => line.includes('--encrypted-jwt-file')));
      });

    if (!encrypted)
      it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is not printed if it was given as an argument by mistake`, async () => {
        for (const args of [
          [`--encrypted-jwt=${CANARY}`],
          ['--encrypted-jwt', CANARY],
          ['--encrypted-jwt-file', CANARY],
          ['--input', JSON.stringify(input('x'))],
          [CANARY],
        ]) {
          const { code, stdout, stderr } = await stack.cli(['start', '--account', ACCOUNT, ...args]);
          assert.equal(code, 2, stderr);
          assert.deepEqual(canariesIn(`${stdout}${stderr}`), [], stderr);
        }
      });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in no log line of a worker at the most verbose level`, () => {
      assert.match(log, /"level":"trace"/);
      assert.match(log, /Activity failed|"err":/);
      for (const line of log.split('\n')) assert.deepEqual(canariesIn(line), [], line.slice(0, 3_000));
    });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in the environment or arguments of no process but the one that received it`, async () => {
      let workers = 0;
      for (const pid of await processesToSearch()) {
        if ((await readProcess(pid, 'cmdline')).includes('worker')) workers += 1;
        for (const file of ['cmdline', 'environ'] as const) {
          assert.deepEqual(canariesIn(await readProcess(pid, file)), [], `${file} of ${pid}`);
        }
      }
      assert.ok(workers > 0, 'a worker runs');
    });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in no item of DynamoDB and in no call to it`, async () => {
      const direct = new DynamoDBClient({
        region: 'us-east-1',
        endpoint: stack.dynamoDb.endpoint,
        credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      });
      for (const TableName of [STATUS_TABLE_NAME, HISTORY_TABLE_NAME]) {
        const { Items = [] } = await direct.send(new ScanCommand({ TableName }));
        assert.ok(Items.length > Object.keys(BUILDS).length - 3);
        for (const item of Items) assert.deepEqual(canariesIn(JSON.stringify(item)), []);
      }
      direct.destroy();
      for (const { request } of stack.proxy.calls) assert.deepEqual(canariesIn(JSON.stringify(request)), []);
    });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in Temporal's histories ${encrypted ? 'nowhere' : 'only in the inputs'}`, async () => {
      const connection = await Connection.connect({ address: stack.temporal.address });
      const client = new Client({ namespace: stack.temporal.namespace, connection });
      let seen = 0;
      for await (const { workflowId, runId } of client.workflow.list()) {
        const handle = client.workflow.getHandle(workflowId, runId);
        const { raw } = await handle.describe();
        assert.deepEqual(canariesIn(textOf(raw)), [], workflowId);
        const metadata = await client.workflowService.queryWorkflow({
          namespace: stack.temporal.namespace,
          execution: { workflowId, runId },
          query: { queryType: '__temporal_workflow_metadata' },
        });
        assert.deepEqual(canariesIn(textOf(metadata)), [], workflowId);
        for (const event of (await handle.fetchHistory()).events ?? []) {
          const { workflowExecutionStartedEventAttributes: started, activityTaskScheduledEventAttributes: scheduled } =
            event;
          // Unencrypted: the caller's input, and the arguments of activities that get it.
          if (started && !encrypted) started.input = null;
          if (
            !encrypted &&
            scheduled &&
            /^(upsertRequestRecord|triggerBuild)$/.test(scheduled.activityType?.name ?? '')
          ) {
            scheduled.input = null;
          }
          assert.deepEqual(canariesIn(textOf(event)), [], `${workflowId}: ${textOf(event).slice(0, 1_000)}`);
        }
        seen += 1;
      }
      assert.ok(seen > Object.keys(BUILDS).length);
      await connection.close();
    });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in no span`, async () => {
      const ofLast = () =>
        collector.spans().some(({ name, attributes }) => {
          return (
            name === 'RunWorkflow:roleBuild' && String(attributes['temporalWorkflowId']).endsWith('#worker-killed')
          );
        });
      await until('the build that ended last is told of', ofLast);
      assert.deepEqual(canariesIn(Buffer.concat(collector.bodies)), []);
    });

    it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is in no log of Temporal's server`, async () => {
      assert.deepEqual(canariesIn(await readFile(join(folder, 'temporal.log')).catch(() => Buffer.alloc(0))), []);
    });

    if (encrypted)
      it(`the credential, with payloads ${encrypted ? 'encrypted' : 'in the clear'}, is nowhere in Temporal's database`, async () => {
        const files = (await readdir(folder)).filter((file) => file.startsWith('temporal.db'));
        assert.ok(files.length > 0);
        for (const file of files)
          assert.deepEqual(canariesIn(await readFile(join(folder, file))).slice(0, 1), [], file);
      });
  });
}

/** Returns a message as text, with the decoded bytes of every payload. */
function textOf(message: object): string {
  return JSON.stringify(message, (_, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
    const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
    return type === 'Buffer' ? Buffer.from(data as number[]).toString('utf8') : value;
  });
}
