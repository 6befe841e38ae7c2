/** The servers that every contender uses, in this process: DynamoDB with both tables, the simulated build API. */
import diagnostics from 'node:diagnostics_channel';
import type http from 'node:http';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { startDynamoDb } from '../../dev/servers/dynamodb.ts';
import { createSimulatedBuildApi, type SimulatedBuildApi } from '../../dev/simulated-build-api/server.ts';
import { createTables } from '../../src/records/create-tables.ts';
import { readHistoryRecord } from '../../src/records/history-table.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { untilTrue } from './until.ts';

export interface Surroundings {
  buildApi: SimulatedBuildApi;
  buildApiUrl: string;
  settings: Record<string, string>;
  /** Counts the successful calls of DynamoDB by operation. */
  dynamoDbCalls: Map<string, number>;
  /** Waits until the last record of each build is COMPLETE. @throws after a time limit */
  untilEnded(inputs: readonly RoleBuildInput[], timeLimitMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startSurroundings(): Promise<Surroundings> {
  const dynamoDb = await startDynamoDb({ kind: 'dynalite' });
  const buildApi = createSimulatedBuildApi();
  const buildApiUrl = await buildApi.listen(0, '127.0.0.1');
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint: dynamoDb.endpoint, region: 'us-east-1', credentials });
  const documents = DynamoDBDocumentClient.from(client);
  const tables = { client: documents, statusTable: STATUS_TABLE_NAME, historyTable: HISTORY_TABLE_NAME };
  await createTables(client, tables);

  const dynamoDbCalls = new Map<string, number>();
  const count = (message: unknown) => {
    const { request, response } = message as { request: http.IncomingMessage; response: http.ServerResponse };
    const target = request.headers['x-amz-target'];
    if (typeof target !== 'string' || response.statusCode !== 200) return;
    const operation = target.slice(target.indexOf('.') + 1);
    dynamoDbCalls.set(operation, (dynamoDbCalls.get(operation) ?? 0) + 1);
  };
  // Both servers run in this process, so this event has their answers; those of the build API have no such header.
  diagnostics.subscribe('http.server.response.finish', count);
  return {
    buildApi,
    buildApiUrl,
    settings: {
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.endpoint,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      API_ALB_FQDN: 'https://alb.example.com',
      BUILD_API_ALLOWED_ORIGINS: buildApiUrl,
    },
    dynamoDbCalls,
    untilEnded: async (inputs, timeLimitMs) => {
      // Builds end about in the order of their starts, so most have ended when the last one is read.
      for (const { correlation_id: id } of inputs) {
        const isEnded = async () => (await readHistoryRecord(tables, id))?.status === 'COMPLETE';
        await untilTrue(`${id} ended COMPLETE`, isEnded, timeLimitMs);
      }
    },
    stop: async () => {
      client.destroy();
      diagnostics.unsubscribe('http.server.response.finish', count);
      await buildApi.close();
      await dynamoDb.stop();
    },
  };
}

export interface BuildOptions {
  pollIntervalSeconds: number;
  pollSpreadSeconds?: number;
  /** How many polls leave the build undecided; by default all. */
  undecidedPolls?: number;
  /** How long the build API takes to answer each of the first polls. */
  answerDelaysMs?: number[];
}

let named = 0;

/** Returns inputs whose names no other build of this process has. */
export function inputsFor(at: Surroundings, count: number, options: BuildOptions): RoleBuildInput[] {
  const { undecidedPolls: polls, answerDelaysMs } = options;
  return Array.from({ length: count }, () => {
    const name = `bench-${(named += 1)}`;
    return {
      build_body: {
        account_id: '123456789012',
        build_type: 'iam_role',
        action: 'create',
        custom_role_name: name,
        dry_run: false,
        simulate: {
          ...(polls === undefined ? { outcome: 'NEVER' } : { polls }),
          ...(answerDelaysMs === undefined ? {} : { status: answerDelaysMs.map((delay_ms) => ({ delay_ms })) }),
        },
      },
      ddb_composite_sort_key: `iam_role#${name}`,
      correlation_id: name,
      trace_header: 'Root=1-67891233-abcdef012345678912345678',
      url: at.buildApiUrl,
      encrypted_jwt: 'example-ciphertext-not-a-credential',
      poll_interval_seconds: options.pollIntervalSeconds,
      ...(options.pollSpreadSeconds === undefined ? {} : { poll_spread_seconds: options.pollSpreadSeconds }),
    };
  });
}
