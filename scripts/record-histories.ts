/**
 * Records the workflow's history for every shape of build, for `test/replay`. `node scripts/record-histories.ts
 * NAME...` adds or replaces only the named histories. Without a name it replaces all: do that only after a change of
 * the workflow code that deliberately can't replay old histories, and give the reason in the commit.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ACCOUNT, inputFor } from '../test/support/stack.ts';
import { startLdapFront } from '../test/support/ldap-front.ts';
import { startDynamoDbProxy, type DynamoDbFault } from '../test/support/dynamodb-proxy.ts';
import { startDirectory } from '../dev/servers/directory.ts';
import { findTemporalCli } from '../dev/servers/temporal-binaries.ts';
import { startStack } from '../dev/stack.ts';
import type { Simulate } from '../dev/simulated-build-api/server.ts';
import { workflowIdOf } from '../src/contract.ts';
import type { RoleBuildInput } from '../src/domain/role-build-input.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../src/records/names.ts';

const FOLDER = fileURLToPath(new URL('../test/replay/histories/', import.meta.url));
const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface Shape {
  simulate?: Simulate;
  input?: Partial<RoleBuildInput>;
  /** The faults of DynamoDB for this build, in order. */
  dynamoDb?: { operation: string; table: string; faults: DynamoDbFault[] };
  /** How many messages to the directory about the group are cut off once the role is built. */
  directory?: { failures: number };
  /** Requests cancellation once the build API has received this many requests. */
  cancelAfterRequests?: number;
  /** Resumes the build once it has ended; the histories of both jobs are kept. */
  resume?: true;
  /** The holder of the status record: a newer job, or an execution of Step Functions. */
  holder?: 'newer' | 'step functions';
}

const three = <T>(value: T): [T, T, T] => [value, value, value];

const SHAPES: Readonly<Record<string, Shape>> = {
  success: { simulate: { polls: 1 } },
  'success-spread': { simulate: { polls: 0 }, input: { poll_spread_seconds: 2 } },
  'success-deadline-not-reached': { simulate: { polls: 0 }, input: { deadline_seconds: 600 } },
  failed: { simulate: { polls: 0, outcome: 'FAILED', message: 'policy missing' } },
  'trigger-retried': { simulate: { polls: 0, trigger: [{ status: 503 }, { drop: 'after' }] } },
  'trigger-unavailable': { simulate: { trigger: three({ status: 503 }) } },
  'trigger-unknown': { simulate: { trigger: three({ drop: 'after' }) } },
  'trigger-refused': { simulate: { trigger: [{ status: 400 }] } },
  'poll-retried': { simulate: { polls: 0, status: [{ status: 503 }, { status: 503 }] } },
  'poll-unavailable': { simulate: { status: three({ status: 503 }) } },
  'poll-retried-after-timers': { simulate: { polls: 0, status: [{ status: 503 }, { status: 503 }] } },
  'poll-gone': { simulate: { status: [{ status: 404 }] } },
  'upsert-failed': { dynamoDb: { operation: 'PutItem', table: STATUS_TABLE_NAME, faults: three('throttle') } },
  'upsert-failed-late-put': { dynamoDb: { operation: 'PutItem', table: STATUS_TABLE_NAME, faults: three('throttle') } },
  'insert-failed': { dynamoDb: { operation: 'PutItem', table: HISTORY_TABLE_NAME, faults: three('throttle') } },
  'last-write-waited': {
    simulate: { polls: 0 },
    dynamoDb: { operation: 'UpdateItem', table: STATUS_TABLE_NAME, faults: three('throttle') },
  },
  'last-write-shown': {
    simulate: { polls: 0 },
    dynamoDb: { operation: 'UpdateItem', table: STATUS_TABLE_NAME, faults: three('throttle') },
  },
  'deadline-in-wait': { simulate: { outcome: 'NEVER' }, input: { deadline_seconds: 3 } },
  'deadline-in-poll': { simulate: { status: [{ hang: true }] }, input: { deadline_seconds: 3 } },
  'deadline-drops-poll': { simulate: { status: [{ hang: true }] }, input: { deadline_seconds: 3 } },
  'deadline-in-trigger': { simulate: { trigger: [{ delay_ms: 4_000 }] }, input: { deadline_seconds: 2 } },
  'cancelled-in-wait': { simulate: { outcome: 'NEVER' }, cancelAfterRequests: 2 },
  'cancelled-in-poll': { simulate: { status: [{ hang: true }] }, cancelAfterRequests: 2 },
  'cancelled-in-poll-backoff': { simulate: { status: three({ status: 503 }) }, cancelAfterRequests: 2 },
  'cancelled-in-trigger': { simulate: { trigger: [{ delay_ms: 4_000 }] }, cancelAfterRequests: 1 },
  'cancelled-in-trigger-backoff': { simulate: { trigger: three({ status: 503 }) }, cancelAfterRequests: 1 },
  'invalid-input': { input: { url: 'http://127.0.0.1:9' } },
  contested: { holder: 'newer' },
  'refused-later': {
    holder: 'step functions',
    dynamoDb: { operation: 'PutItem', table: STATUS_TABLE_NAME, faults: ['throttle'] },
  },
  'continued-as-new': { simulate: { polls: 12 } },
  resumed: { simulate: { polls: 0, status: three({ status: 503 }) }, resume: true },
  'resumed-trigger-unknown': { simulate: { polls: 0, trigger: three({ drop: 'after' }) }, resume: true },
  'resumed-continued-as-new': { simulate: { polls: 12, status: three({ status: 503 }) }, resume: true },
  'resumed-cancelled': {
    simulate: { outcome: 'NEVER', status: three({ status: 503 }) },
    resume: true,
    cancelAfterRequests: 5,
  },
  'directory-group': { simulate: { polls: 0 }, input: { directory_group: true } },
  'directory-group-waited': { simulate: { polls: 0 }, input: { directory_group: true }, directory: { failures: 3 } },
  'directory-group-continued': { simulate: { polls: 1 }, input: { directory_group: true }, directory: { failures: 6 } },
  'continued-as-new-cancelled': { simulate: { outcome: 'NEVER' }, cancelAfterRequests: 14 },
};

const asked = process.argv.slice(2);
for (const name of asked) if (!Object.hasOwn(SHAPES, name)) throw new Error(`no shape is named ${name}`);
const shapes = Object.entries(SHAPES).filter(([name]) => asked.length === 0 || asked.includes(name));

const cli = await findTemporalCli();
const stack = await startStack({ temporal: { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 60 } } });
const proxy = await startDynamoDbProxy(stack.dynamoDb.endpoint);
stack.settings['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint;
proxy.decide = ({ operation, request }) => {
  const text = JSON.stringify(request);
  const shape = Object.entries(SHAPES).find(([name]) => text.includes(`#${name}"`))?.[1].dynamoDb;
  return shape?.operation === operation && shape.table === request.TableName ? shape.faults.shift() : undefined;
};
const directory = await startDirectory();
const front = await startLdapFront(directory.url, directory.authority.issue('front', ['127.0.0.1']));
front.decide = () => {
  const sent = front.sent.at(-1)?.bytes ?? Buffer.alloc(0);
  const [name, shape] = Object.entries(SHAPES).findLast(([one]) => sent.includes(`AWS-${ACCOUNT}-${one}`)) ?? [];
  const isBuilt = stack.buildApi.requests(`request-${name}`).length > 1;
  return isBuilt && shape?.directory !== undefined && shape.directory.failures-- > 0 ? 'cut-before' : undefined;
};
await stack.startWorker({ settings: { ...directory.settings, DIRECTORY_URL: front.url } });
const connection = await Connection.connect({ address: stack.temporal.address });
const client = new Client({ connection });
await mkdir(FOLDER, { recursive: true });
for (const old of await readdir(FOLDER)) {
  if (shapes.some(([name]) => /^(.+)\.\d+\.json$/.exec(old)?.[1] === name)) await rm(`${FOLDER}${old}`);
}
await Promise.all(shapes.map(([name, shape]) => record(name, shape)));
await connection.close();
await stack.stop();
await proxy.stop();
await front.stop();
await directory.stop();
process.stdout.write(`there are ${(await readdir(FOLDER)).length} histories\n`);
process.exit();

async function record(name: string, shape: Shape): Promise<void> {
  const resource = `iam_role#${name}`;
  if (shape.holder !== undefined) await putRecordOf(shape.holder, resource);
  const input = inputFor(stack, name, shape.simulate, {
    encrypted_jwt: 'example-ciphertext-not-a-credential',
    requested_by: 'recorder',
    ...shape.input,
  });
  const start = ['start', '--input', '-', '--wait', '--json'];
  // If the client can't read the records, it starts the build, and the worker refuses it.
  const settings = shape.holder === 'step functions' ? { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' } : {};
  let ended = stack.cli(start, { stdin: JSON.stringify(input), settings });
  if (shape.resume === true) {
    await ended;
    ended = stack.cli(['resume', ACCOUNT, resource, '--wait', '--json']);
  }
  if (shape.cancelAfterRequests !== undefined) {
    while (stack.buildApi.requests(input.correlation_id).length < shape.cancelAfterRequests) await delay(20);
    await stack.cli(['cancel', ACCOUNT, resource]);
  }
  const { code, stderr } = await ended;
  if (code === null || ![0, 1, 3].includes(code)) throw new Error(`${name}: exit code ${code}: ${stderr}`);
  const workflowId = workflowIdOf(ACCOUNT, resource);
  let run = 1;
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const show = ['workflow', 'show', '--workflow-id', workflowId, '--run-id', runId, '--output', 'json'];
    const { address, namespace } = stack.temporal;
    const where = ['--address', address, '--namespace', namespace];
    const shown = execFileSync(cli, [...show, ...where], { encoding: 'utf8' });
    const history = withoutThisMachine(shown);
    await writeFile(`${FOLDER}${name}.${run}.json`, `${JSON.stringify(JSON.parse(history), undefined, 1)}\n`);
    run += 1;
  }
  process.stdout.write(`${name}: ${run - 1} run(s)\n`);
}

/** Removes paths and host names of this machine from stack traces and identities. */
function withoutThisMachine(history: string): string {
  return history.replaceAll(ROOT, '/app/').replaceAll(hostname(), 'recorder');
}

async function putRecordOf(holder: NonNullable<Shape['holder']>, resource: string): Promise<void> {
  const documents = DynamoDBDocumentClient.from(
    new DynamoDBClient({
      region: 'us-east-1',
      endpoint: stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    }),
  );
  const Item = {
    account_id: ACCOUNT,
    resource,
    job_id: holder === 'newer' ? 'newer' : 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1',
    start_at: holder === 'newer' ? '2999-01-01T00:00:00.000Z' : '2025-01-09T15:25:00.123Z',
    status: 'IN_PROGRESS',
  };
  await documents.send(new PutCommand({ TableName: STATUS_TABLE_NAME, Item }));
}
