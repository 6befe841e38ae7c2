import { setTimeout as delay } from 'node:timers/promises';
import {
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateContinuousBackupsCommand,
  waitUntilTableExists,
  type CreateTableCommandInput,
  type DynamoDBClient,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { defined } from '../domain/defined.ts';
import { addHistoryIndex, describeTable, HISTORY_INDEX, KeyMismatchError, type IndexSetUp } from './history-index.ts';
import type { RecordTables } from './items.ts';

const READY_WITHIN_SECONDS = 120;
/** It takes a while before backups of a new table can be enabled. */
const BACKUPS_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

/** Both tables with the state machine's keys, and an index of ours; all key attributes are strings. */
function definitions({ statusTable, historyTable }: RecordTables): CreateTableCommandInput[] {
  const history = table(historyTable, ['request_id']);
  return [
    table(statusTable, ['account_id', 'resource']),
    {
      ...history,
      AttributeDefinitions: [...(history.AttributeDefinitions ?? []), ...HISTORY_INDEX.attributes],
      GlobalSecondaryIndexes: [HISTORY_INDEX.definition],
    },
  ];
}

function table(TableName: string, keys: readonly string[]): CreateTableCommandInput {
  return {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    // Encryption at rest is always on. It uses a key of the service if no other key is named.
    DeletionProtectionEnabled: true,
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' })),
  };
}

export interface TableSetUp {
  name: string;
  created: boolean;
  protection: TableProtection;
  /** Only for the history table. */
  index?: IndexSetUp;
}

/** What protects a table's data; `null` if the endpoint lacks it, as DynamoDB's stand-ins do, or denies access. */
export interface TableProtection {
  deletion_protection: boolean | null;
  point_in_time_recovery: boolean | null;
  /** The key that encrypts the data at rest. */
  encryption: 'AWS owned key' | 'KMS key' | null;
}

export type TableCheck = ReturnType<typeof tableChecks>[number];

export function tableChecks(client: DynamoDBClient, tables: RecordTables) {
  return definitions(tables).map((definition) => {
    const name = definition.TableName ?? '';
    return {
      name,
      /** The required key in words, such as `request_id (HASH, S)`. */
      wanted: describeKeys(definition),
      /** Returns the table's key; `undefined` if there is no such table. */
      find: () => keysOf(client, name),
      /** Creates the table, unless someone else was faster, and waits until it can be used. */
      create: () => create(client, definition),
    };
  });
}

/**
 * Creates missing tables and the history's index, and waits until all can be used. Safe to repeat. New tables get
 * deletion protection and point-in-time recovery. For existing tables, both are reported and not changed.
 *
 * @throws KeyMismatchError
 */
export async function createTables(client: DynamoDBClient, tables: RecordTables): Promise<TableSetUp[]> {
  const checks = await Promise.all(
    tableChecks(client, tables).map(async (check) => ({ ...check, found: await check.find() })),
  );
  for (const { name, wanted, found } of checks) {
    if (found !== undefined && found !== wanted) throw new KeyMismatchError(`table ${name}`, found, wanted);
  }
  const done: TableSetUp[] = [];
  for (const { name, found, create: createIt } of checks) {
    const created = found === undefined;
    await (created ? createIt() : untilUsable(client, name));
    const protection = await protectionOf(client, name);
    const index = name === tables.historyTable ? await addHistoryIndex(client, name, created) : undefined;
    done.push(defined({ name, created, protection, index }));
  }
  return done;
}

async function untilUsable(client: DynamoDBClient, TableName: string): Promise<void> {
  await waitUntilTableExists({ client, maxWaitTime: READY_WITHIN_SECONDS, minDelay: 1 }, { TableName });
}

async function keysOf(client: DynamoDBClient, TableName: string): Promise<string | undefined> {
  try {
    return describeKeys(await describeTable(client, TableName));
  } catch (err) {
    if (err instanceof ResourceNotFoundException) return undefined;
    throw err;
  }
}

async function create(client: DynamoDBClient, definition: CreateTableCommandInput): Promise<void> {
  const name = definition.TableName ?? '';
  try {
    await client.send(new CreateTableCommand(definition));
  } catch (err) {
    // Someone else's setup was faster, and does the rest.
    if (err instanceof ResourceInUseException) return untilUsable(client, name);
    throw err;
  }
  await untilUsable(client, name);
  await recoverPointsInTime(client, name);
}

async function recoverPointsInTime(client: DynamoDBClient, TableName: string): Promise<void> {
  const giveUpAt = performance.now() + BACKUPS_WITHIN_MS;
  for (;;) {
    try {
      const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
      await client.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }));
      return;
    } catch (err) {
      if (isUnknownOperation(err)) return;
      if (!mayWorkSoon(err) || performance.now() > giveUpAt) throw err;
      await delay(LOOK_EVERY_MS);
    }
  }
}

async function protectionOf(client: DynamoDBClient, TableName: string): Promise<TableProtection> {
  const described = await describeTable(client, TableName);
  const deletion_protection = described.DeletionProtectionEnabled ?? null;
  try {
    const { ContinuousBackupsDescription: backups } = await client.send(
      new DescribeContinuousBackupsCommand({ TableName }),
    );
    const status = backups?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
    const encryption = described.SSEDescription?.SSEType === 'KMS' ? 'KMS key' : 'AWS owned key';
    return { deletion_protection, point_in_time_recovery: status === 'ENABLED', encryption };
  } catch (err) {
    // Stand-ins for DynamoDB lack this, and not everybody who may create tables may read it.
    if (!isUnknownOperation(err) && !(err instanceof Error && err.name === 'AccessDeniedException')) throw err;
    return { deletion_protection, point_in_time_recovery: null, encryption: null };
  }
}

/** Only the run that creates a table turns recovery on, so it must not give up for a moment's failure. */
function mayWorkSoon(err: unknown): boolean {
  const { name, $fault } = err as { name: string; $fault?: string };
  return $fault === 'server' || /^(ContinuousBackupsUnavailableException|ThrottlingException)$/.test(name);
}

function isUnknownOperation(err: unknown): boolean {
  return err instanceof Error && err.name === 'UnknownOperationException';
}

function describeKeys({
  KeySchema,
  AttributeDefinitions,
}: Pick<TableDescription, 'KeySchema' | 'AttributeDefinitions'>) {
  const typeOf = (key?: string) =>
    AttributeDefinitions?.find(({ AttributeName }) => AttributeName === key)?.AttributeType;
  return (KeySchema ?? [])
    .map(({ AttributeName, KeyType }) => `${AttributeName} (${KeyType}, ${typeOf(AttributeName)})`)
    .join(' + ');
}
