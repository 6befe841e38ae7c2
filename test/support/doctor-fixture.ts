/** Fixture of the tests of `doctor`: a stack, builds in every state, and direct writes to both tables. */
import assert from 'node:assert/strict';
import {
  DeleteItemCommand,
  DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb';
import { Client, Connection } from '@temporalio/client';
import type { CliOptions, StackOptions } from '../../dev/stack.ts';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { workflowIdOf } from '../../src/domain/identity.ts';
import type { FindingKind, Subject } from '../../src/cli/commands/doctor/findings.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { inputFor, startTestStack, until, type RawItem, type TestStack } from './stack.ts';

export interface ShownFinding extends Subject {
  finding: FindingKind;
  reason: string;
  fix: string;
  fixable: boolean;
  doubtful?: true;
  result?: string;
}

export interface Examined {
  code: number | null;
  findings: ShownFinding[];
  stdout: string;
  stderr: string;
  of(input: RoleBuildInput): ShownFinding[];
}

export interface Job {
  input: RoleBuildInput;
  jobId: string;
}

export interface DoctorStack extends TestStack {
  client: Client;
  raw: DynamoDBClient;
  /** Runs `doctor --json` with more arguments. */
  doctor(args?: readonly string[], options?: CliOptions): Promise<Examined>;
  start(name: string, simulate?: Simulate, more?: Partial<RoleBuildInput>): Promise<Job>;
  /** Waits until Temporal's visibility lists a run, or its end, which happens shortly after the fact. */
  untilListed(runId: string, isEnd?: true): Promise<void>;
  /** Starts a build that polls without end, and waits until it is listed. */
  startEndless(name: string, more?: Partial<RoleBuildInput>): Promise<Job>;
  /** Runs a build to its end, with both records. */
  ended(name: string, simulate?: Simulate): Promise<Job>;
  /** Starts a build, terminates it while it polls, and waits until its end is listed. */
  terminated(name: string, more?: Partial<RoleBuildInput>): Promise<Job>;
  terminate(job: Job, reason?: string): Promise<void>;
  /** Deletes the execution, as retention does. */
  forget(job: Job): Promise<void>;
  put(table: 'status' | 'history', item: RawItem): Promise<void>;
  /** Sets attributes of a record; `undefined` removes one. */
  change(
    table: 'status' | 'history',
    input: RoleBuildInput,
    values: Record<string, AttributeValue | undefined>,
  ): Promise<void>;
  remove(table: 'status' | 'history', input: RoleBuildInput): Promise<void>;
  statuses(input: RoleBuildInput): Promise<(string | undefined)[]>;
}

export const TABLE_NAMES = { status: STATUS_TABLE_NAME, history: HISTORY_TABLE_NAME };

export async function startDoctorStack(options: StackOptions = {}): Promise<DoctorStack> {
  const stack = await startTestStack(options);
  const connection = await Connection.connect({ address: stack.temporal.address });
  const client = new Client({ namespace: stack.temporal.namespace, connection });
  const raw = new DynamoDBClient({
    region: 'us-east-1',
    endpoint: stack.dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const keyOf = (table: 'status' | 'history', input: RoleBuildInput): RawItem =>
    table === 'status'
      ? { account_id: { S: input.build_body.account_id }, resource: { S: input.ddb_composite_sort_key } }
      : { request_id: { S: input.correlation_id } };
  const handleOf = ({ input, jobId }: Job) =>
    client.workflow.getHandle(workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key), undefined, {
      firstExecutionRunId: jobId,
    });

  const self: DoctorStack = {
    ...stack,
    client,
    raw,
    doctor: async (args = [], cliOptions = {}) => {
      const { code, stdout, stderr } = await stack.cli(['doctor', '--json', ...args], cliOptions);
      const findings = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as ShownFinding);
      const of = ({ ddb_composite_sort_key: resource, correlation_id }: RoleBuildInput) =>
        findings.filter((one) => one.resource === resource || one.correlation_id === correlation_id);
      return { code, findings, stdout, stderr, of };
    },
    start: async (name, simulate = {}, more = {}) => {
      const input = inputFor(stack, name, simulate, more);
      const { job_id } = await startRoleBuild(client, input);
      return { input, jobId: job_id };
    },
    untilListed: (runId, isEnd) => {
      const query = `RunId = '${runId}'${isEnd ? ' AND CloseTime IS NOT NULL' : ''}`;
      return until('Temporal lists it', async () => (await client.workflow.count(query)).count > 0);
    },
    startEndless: async (name, more = {}) => {
      const job = await self.start(name, { outcome: 'NEVER' }, more);
      await until('it polls', () => stack.buildApi.requests(job.input.correlation_id).length >= 2);
      await self.untilListed(job.jobId);
      return job;
    },
    ended: async (name, simulate = { polls: 0 }) => {
      const job = await self.start(name, simulate);
      await handleOf(job)
        .result()
        .catch(() => undefined);
      return job;
    },
    terminated: async (name, more = {}) => {
      const job = await self.startEndless(name, more);
      await self.terminate(job);
      await self.untilListed(job.jobId, true);
      return job;
    },
    terminate: async (job, reason = 'by the test') => {
      await handleOf(job).terminate(reason);
    },
    forget: async ({ input, jobId }) => {
      const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
      const workflowExecution = { workflowId, runId: jobId };
      await client.workflowService.deleteWorkflowExecution({ namespace: stack.temporal.namespace, workflowExecution });
      const isKnown = () =>
        client.workflow
          .getHandle(workflowId, jobId)
          .describe()
          .then(
            () => true,
            () => false,
          );
      await until('Temporal has forgotten it', async () => !(await isKnown()));
    },
    put: async (table, Item) => void (await raw.send(new PutItemCommand({ TableName: TABLE_NAMES[table], Item }))),
    change: async (table, input, values) => {
      const set = Object.entries(values).filter(([, value]) => value !== undefined);
      const gone = Object.keys(values).filter((name) => values[name] === undefined);
      await raw.send(
        new UpdateItemCommand({
          TableName: TABLE_NAMES[table],
          Key: keyOf(table, input),
          UpdateExpression: [
            set.length === 0 ? '' : `SET ${set.map(([name]) => `#${name} = :${name}`).join(', ')}`,
            gone.length === 0 ? '' : `REMOVE ${gone.map((name) => `#${name}`).join(', ')}`,
          ].join(' '),
          ExpressionAttributeNames: Object.fromEntries(Object.keys(values).map((name) => [`#${name}`, name])),
          ...(set.length === 0
            ? {}
            : {
                ExpressionAttributeValues: Object.fromEntries(
                  set.map(([name, value]) => [`:${name}`, value as AttributeValue]),
                ),
              }),
        }),
      );
    },
    remove: async (table, input) =>
      void (await raw.send(new DeleteItemCommand({ TableName: TABLE_NAMES[table], Key: keyOf(table, input) }))),
    statuses: async (input) => {
      const { status, history } = await stack.records(input);
      return [status?.['status']?.S, history?.['status']?.S];
    },
    stop: async () => {
      await connection.close();
      raw.destroy();
      await stack.stop();
    },
  };
  return self;
}

export function only(examined: Examined, input: RoleBuildInput): ShownFinding {
  const found = examined.of(input);
  assert.equal(found.length, 1, `${examined.stdout}\n${examined.stderr}`);
  return found[0] as ShownFinding;
}

/** Repairs everything, and checks that no finding is left. */
export function repairAll(stack: DoctorStack, args: readonly string[] = []): Promise<Examined> {
  return repairingAll(stack, ['--yes', ...args]);
}

/** Does as {@link repairAll}, but also answers yes to each question that doctor asks. */
export function sayYesToAll(stack: DoctorStack, args: readonly string[] = []): Promise<Examined> {
  return repairingAll(stack, args, { stdin: 'y\n'.repeat(100) });
}

async function repairingAll(stack: DoctorStack, args: readonly string[], options: CliOptions = {}): Promise<Examined> {
  const repaired = await stack.doctor(['--fix', ...args], options);
  assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr);
  for (const { result } of repaired.findings) assert.equal(result, 'mended', repaired.stdout);
  const after = await stack.doctor();
  assert.deepEqual(after.findings, []);
  assert.equal(after.code, 0, after.stderr);
  return repaired;
}
