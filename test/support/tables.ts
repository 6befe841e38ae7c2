/** Both tables on a DynamoDB for this test file, and items as DynamoDB stores them. */
import { after, before } from 'node:test';
import { DynamoDBClient, GetItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { startDynamoDb, type DynamoDb } from '../../dev/servers/dynamodb.ts';
import { createTables } from '../../src/records/create-tables.ts';
import { openRecordTables } from '../../src/records/dynamodb.ts';
import type { RecordTables } from '../../src/records/items.ts';
import { startDynamoDbProxy, type DynamoDbProxy } from './dynamodb-proxy.ts';
import { setEnvironment } from './environment.ts';

export type Item = Record<string, AttributeValue>;

/** Opened as a worker opens them, with settings that the AWS SDK reads from the environment. */
export let tables: RecordTables;
export let raw: DynamoDBClient;
export let server: DynamoDb;

export function useDynamoDb({ createTables: create = true }: { createTables?: boolean } = {}): void {
  let restore: () => void;
  before(async () => {
    server = await startDynamoDb();
    restore = setEnvironment({
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL_DYNAMODB: server.endpoint,
    });
    tables = openRecordTables({ statusTable: 'status-records', historyTable: 'history-records' });
    raw = new DynamoDBClient();
    if (create) await createTables(raw, tables);
  });
  after(async () => {
    tables.client.destroy();
    raw.destroy();
    await server.stop();
    restore();
  });
}

/** Adds a proxy in front of that DynamoDB to a suite, and the tables through it. */
export function useDynamoDbProxy(): { proxy: DynamoDbProxy; tables: RecordTables } {
  const on = {} as { proxy: DynamoDbProxy; tables: RecordTables };
  before(async () => {
    on.proxy = await startDynamoDbProxy(server.endpoint);
    process.env['AWS_ENDPOINT_URL_DYNAMODB'] = on.proxy.endpoint;
    on.tables = openRecordTables({ statusTable: 'status-records', historyTable: 'history-records' });
  });
  after(async () => {
    on.tables.client.destroy();
    await on.proxy.stop();
  });
  return on;
}

export async function itemOf(TableName: string, Key: Item): Promise<Item | undefined> {
  return (await raw.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
}

/** ISO 8601 in UTC with milliseconds. */
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The job of most tests; one job is older and one is newer. */
export const JOB = { job_id: 'job-2', start_at: '2026-01-02T00:00:00.000Z' };
export const OLDER = { job_id: 'job-1', start_at: '2026-01-01T23:59:59.999Z' };
export const NEWER = { job_id: 'job-3', start_at: '2026-01-02T00:00:00.001Z' };

export async function isWritten(write: Promise<{ written: boolean }>): Promise<boolean> {
  return (await write).written;
}
