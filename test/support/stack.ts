/** Fixture of the end-to-end tests: a stack with a proxy before DynamoDB, inputs, and direct reads of the records. */
import { DynamoDBClient, GetItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { startStack, type CliResult, type Stack, type StackOptions } from '../../dev/stack.ts';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { interruptCommands, runCliHere } from './cli-here.ts';
import { PROGRAMS } from './programs.ts';
import { temporalForTests } from './shared-temporal.ts';
import { startDynamoDbProxy, type DynamoDbProxy } from './dynamodb-proxy.ts';

export { until } from './until.ts';

export const ACCOUNT = '123456789012';
/** Used as the credential, and searched for wherever it must not be. */
export const CREDENTIAL = 'canary-credential-7f3a';

export interface TestStack extends Stack {
  proxy: DynamoDbProxy;
  /** Runs `start --wait --json` and returns its output. */
  build(input: RoleBuildInput): Promise<CliResult & { json: Record<string, unknown> }>;
  /** Reads both records as DynamoDB's attribute values. */
  records(input: RoleBuildInput): Promise<{ status: RawItem | undefined; history: RawItem | undefined }>;
}

export type RawItem = Record<string, AttributeValue>;

/**
 * Starts Temporal (a namespace of the shared server, unless `temporal` is given), DynamoDB and a simulated build API.
 * The command line runs in this process; workers are processes.
 */
export async function startTestStack(options: StackOptions = {}): Promise<TestStack> {
  const stack = await startStack({ temporal: temporalForTests, programs: PROGRAMS, runCli: runCliHere, ...options });
  const proxy = await startDynamoDbProxy(stack.dynamoDb.endpoint);
  const direct = new DynamoDBClient({
    region: 'us-east-1',
    endpoint: stack.dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  // Workers and the command line use DynamoDB through the proxy; the tests read it directly.
  stack.settings['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint;
  const get = async (TableName: string, Key: RawItem) =>
    (await direct.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
  return {
    ...stack,
    proxy,
    build: async (input) => {
      const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], { stdin: JSON.stringify(input) });
      return { ...result, json: parseJson(result) };
    },
    records: async (input) => ({
      status: await get(STATUS_TABLE_NAME, {
        account_id: { S: input.build_body.account_id },
        resource: { S: input.ddb_composite_sort_key },
      }),
      history: await get(HISTORY_TABLE_NAME, { request_id: { S: input.correlation_id } }),
    }),
    stop: async () => {
      interruptCommands();
      await stack.stop();
      await proxy.stop();
      direct.destroy();
    },
  };
}

export function parseJson({ stdout, stderr, code }: CliResult): Record<string, unknown> {
  try {
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`no JSON on stdout (exit code ${code}): ${stdout}\n${stderr}`);
  }
}

/** Makes the build API answer SUCCEEDED at the next poll of this request's build. */
export function letSucceed(
  { buildApi }: Pick<Stack, 'buildApi'>,
  { correlation_id }: Pick<RoleBuildInput, 'correlation_id'>,
): void {
  buildApi.putFaults({
    correlation_id,
    status: [{ status: 200, body: { build_status: 'SUCCEEDED', can_retry: false } }],
  });
}

/** Returns an input whose role, resource and request have that name, for the stack's simulated build API. */
export function inputFor(
  stack: Pick<Stack, 'buildApiUrl'>,
  name: string,
  simulate: Simulate = {},
  more: Partial<RoleBuildInput> = {},
): RoleBuildInput {
  return {
    build_body: {
      account_id: ACCOUNT,
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: name,
      dry_run: false,
      simulate,
    },
    ddb_composite_sort_key: `iam_role#${name}`,
    correlation_id: `request-${name}`,
    trace_header: 'Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1',
    url: stack.buildApiUrl,
    encrypted_jwt: CREDENTIAL,
    poll_interval_seconds: 1,
    ...more,
  };
}
