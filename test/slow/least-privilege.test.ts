/** Tests that each program's policy in `deploy/iam` allows the AWS calls that the program makes, and nothing else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { startDynamoDbProxy } from '../support/dynamodb-proxy.ts';
import { ACCOUNT, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

const POLICIES = new URL('../../deploy/iam/', import.meta.url);

interface Program {
  /** Makes the program do everything that it does with AWS. @param settings record its calls */
  run(stack: TestStack, settings: Record<string, string>): Promise<void>;
  /** The tables for the policy's placeholders; the stack's by default. */
  tables?: { STATUS_TABLE: string; HISTORY_TABLE: string };
}

/** One line for each policy. */
const PROGRAMS: Record<string, Program> = {
  worker: {
    async run(stack, settings) {
      const worker = await stack.startWorker({ settings });
      await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, 'succeeds', { polls: 0 }));
      await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, 'fails', { polls: 0, outcome: 'FAILED' }));
      // The worker reads records that another job holds.
      const same = { correlation_id: 'request-succeeds' };
      await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, 'other', {}, same));
      await putRecordOfStepFunctions(stack, 'taken');
      const unreachable = { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' };
      await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, 'taken'), unreachable);
      await worker.stop();
    },
  },
  client: {
    async run(stack, settings) {
      const worker = await stack.startWorker();
      const build = [ACCOUNT, 'iam_role#client'];
      const polls = [{ status: 503 }, { status: 503 }, { status: 503 }];
      await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, 'client', { status: polls }), settings);
      await run(stack, ['status', '--correlation-id', 'request-client'], undefined, settings);
      await run(stack, ['watch', ...build], undefined, settings);
      await run(stack, ['resume', ...build], undefined, settings);
      await run(stack, ['cancel', ...build], undefined, settings);
      await run(stack, ['history', ACCOUNT], undefined, settings);
      const report = join(tmpdir(), `least-privilege-${process.pid}.report`);
      await run(stack, ['batch', '-', '--wait', '--report', report], inputFor(stack, 'batch', { polls: 0 }), settings);
      await rm(report);
      await worker.stop();
    },
  },
  setup: {
    tables: { STATUS_TABLE: 'new-status', HISTORY_TABLE: 'new-history' },
    async run(stack, settings) {
      await run(stack, ['setup'], undefined, settings);
      await run(stack, ['setup'], undefined, settings);
      // The state machine's history table has no index yet.
      await withDynamoDb(stack, (client) =>
        client.send(
          new CreateTableCommand({
            TableName: OLD_HISTORY_TABLE,
            BillingMode: 'PAY_PER_REQUEST',
            AttributeDefinitions: [{ AttributeName: 'request_id', AttributeType: 'S' }],
            KeySchema: [{ AttributeName: 'request_id', KeyType: 'HASH' }],
          }),
        ),
      );
      await run(stack, ['setup'], undefined, { ...settings, HISTORY_TABLE: OLD_HISTORY_TABLE });
    },
  },
  doctor: {
    async run(stack, settings) {
      await buildOne(stack, 'before-lost');
      await inTurn(async () => {
        await putLostRecord(stack, 'lost');
        await run(stack, ['doctor'], undefined, settings);
      });
    },
  },
  'doctor-fix': {
    async run(stack, settings) {
      await buildOne(stack, 'before-lost-too');
      await inTurn(async () => {
        await putLostRecord(stack, 'lost-too');
        await run(stack, ['doctor', '--fix', '--yes'], undefined, settings);
      });
    },
  },
};

const OLD_HISTORY_TABLE = 'old-history';

let turns: Promise<unknown> = Promise.resolve();

/** These run in series: a repair would leave nothing for the doctor beside it to find. */
function inTurn(look: () => Promise<void>): Promise<void> {
  const own = turns.then(look);
  turns = own.catch(() => {});
  return own;
}

async function run(
  stack: TestStack,
  args: string[],
  input?: unknown,
  settings: Record<string, string> = {},
): Promise<void> {
  const { code, stderr } = await stack.cli(args, { stdin: JSON.stringify(input ?? null), settings });
  assert.notEqual(code, 2, stderr);
}

async function withDynamoDb(stack: TestStack, use: (client: DynamoDBClient) => Promise<unknown>): Promise<void> {
  const client = new DynamoDBClient({
    region: 'us-east-1',
    endpoint: stack.dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  await use(client);
  client.destroy();
}

async function buildOne(stack: TestStack, name: string): Promise<void> {
  const worker = await stack.startWorker();
  await run(stack, ['start', '--input', '-', '--wait'], inputFor(stack, name, { polls: 0 }));
  await worker.stop();
}

/** Puts a record in progress, of a job that Temporal does not know. */
async function putLostRecord(stack: TestStack, name: string): Promise<void> {
  const Item = {
    account_id: { S: ACCOUNT },
    resource: { S: `iam_role#${name}` },
    build_type: { S: 'iam_role' },
    action: { S: 'create' },
    custom_role_name: { S: name },
    dry_run: { BOOL: false },
    correlation_id: { S: `request-${name}` },
    trace_header: { S: 'Root=1' },
    job_id: { S: '00000000-0000-4000-8000-000000000000' },
    start_at: { S: '2025-01-09T15:25:00.123Z' },
    status: { S: 'IN_PROGRESS' },
  };
  await withDynamoDb(stack, (client) => client.send(new PutItemCommand({ TableName: STATUS_TABLE_NAME, Item })));
}

async function putRecordOfStepFunctions(stack: TestStack, name: string): Promise<void> {
  const Item = {
    account_id: { S: ACCOUNT },
    resource: { S: `iam_role#${name}` },
    job_id: { S: 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1' },
    start_at: { S: '2025-01-09T15:25:00.123Z' },
    status: { S: 'IN_PROGRESS' },
  };
  await withDynamoDb(stack, (client) => client.send(new PutItemCommand({ TableName: STATUS_TABLE_NAME, Item })));
}

interface Policy {
  Version: string;
  Statement: { Sid: string; Effect: string; Action: string[]; Resource: string[] }[];
}

function readPolicy(name: string): Policy {
  return JSON.parse(readFileSync(new URL(`${name}.json`, POLICIES), 'utf8')) as Policy;
}

/** Returns every action with every resource, such as `dynamodb:GetItem STATUS_TABLE`. */
function allowed({ Statement }: Policy): string[] {
  return Statement.flatMap(({ Action, Resource }) =>
    Action.flatMap((action) => Resource.map((arn) => `${action} ${arn.split(':table/').at(-1)}`)),
  ).sort();
}

describe('a policy', { concurrency: 3 }, () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  const names = readdirSync(POLICIES)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace('.json', ''));

  it('a policy exists for every program that calls AWS, and for no other', () => {
    assert.deepEqual(names.toSorted(), Object.keys(PROGRAMS).sort());
  });

  for (const name of names) {
    it(`a policy ${name} names its actions and tables one by one, without wildcards`, () => {
      const policy = readPolicy(name);
      assert.equal(policy.Version, '2012-10-17');
      for (const { Effect, Action, Resource, ...rest } of policy.Statement) {
        assert.equal(Effect, 'Allow');
        assert.deepEqual(Object.keys(rest), ['Sid']);
        for (const action of Action) assert.match(action, /^dynamodb:[A-Z][A-Za-z]+$/);
        for (const arn of Resource) {
          assert.match(
            arn,
            /^arn:aws:dynamodb:REGION:ACCOUNT_ID:table\/((STATUS|HISTORY)_TABLE|HISTORY_TABLE\/index\/account_id-start_at)$/,
          );
        }
      }
      assert.doesNotMatch(JSON.stringify(policy), /Delete|\*/);
    });
  }

  for (const [name, program] of Object.entries(PROGRAMS)) {
    it(`a policy ${name} allows what the program calls, and nothing more`, async () => {
      const tables = program.tables ?? { STATUS_TABLE: STATUS_TABLE_NAME, HISTORY_TABLE: HISTORY_TABLE_NAME };
      const recorder = await startDynamoDbProxy(stack.dynamoDb.endpoint);
      try {
        const queue = { ROLE_BUILD_TASK_QUEUE: name };
        await program.run(withQueue(stack, queue), {
          ...tables,
          ...queue,
          AWS_ENDPOINT_URL_DYNAMODB: recorder.endpoint,
        });
        const placeholders = new Map(Object.entries(tables).map(([placeholder, table]) => [table, placeholder]));
        placeholders.set(OLD_HISTORY_TABLE, 'HISTORY_TABLE');
        const called = recorder.calls.flatMap(({ operation, request }) =>
          tablesOf(request).map((table) => {
            const index = typeof request['IndexName'] === 'string' ? `/index/${request['IndexName']}` : '';
            return `dynamodb:${operation} ${placeholders.get(table) ?? table}${index}`;
          }),
        );
        assert.deepEqual([...new Set(called)].sort(), allowed(readPolicy(name)));
      } finally {
        await recorder.stop();
      }
    });
  }
});

/** The stack with another task queue, so that one program's worker takes no build of another's. */
function withQueue(stack: TestStack, queue: Record<string, string>): TestStack {
  return {
    ...stack,
    startWorker: (options = {}) => stack.startWorker({ ...options, settings: { ...queue, ...options.settings } }),
    cli: (args, options = {}) => stack.cli(args, { ...options, settings: { ...queue, ...options.settings } }),
  };
}

function tablesOf(request: Record<string, unknown>): string[] {
  const many = request['RequestItems'] as Record<string, unknown> | undefined;
  return many === undefined ? [String(request['TableName'])] : Object.keys(many);
}
