import {
  CreateTableCommand,
  DescribeTableCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  waitUntilTableExists,
  type CreateTableCommandInput,
  type DynamoDBClient,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import type { RecordTables } from './write.ts';

const READY_WITHIN_SECONDS = 120;

/** Both tables with the original's keys; all key attributes are strings. */
function definitions({ statusTable, historyTable }: RecordTables): CreateTableCommandInput[] {
  return [table(statusTable, ['account_id', 'resource']), table(historyTable, ['request_id'])];
}

function table(TableName: string, keys: readonly string[]): CreateTableCommandInput {
  return {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' })),
  };
}

export interface TableSetUp {
  name: string;
  created: boolean;
}

/** A table as it is and as it must be. */
export interface TableCheck {
  name: string;
  /** Its key in words, such as `request_id (HASH, S)`. */
  wanted: string;
  /** `undefined` where there is no such table. */
  found: string | undefined;
  /** Creates it, unless someone else was faster, and waits until it can be used. */
  create(): Promise<void>;
}

/** Looks at both tables and changes nothing. */
export async function checkTables(client: DynamoDBClient, tables: RecordTables): Promise<TableCheck[]> {
  const checks: TableCheck[] = [];
  for (const definition of definitions(tables)) {
    const name = definition.TableName ?? '';
    checks.push({
      name,
      wanted: describeKeys(definition),
      found: await keysOf(client, name),
      create: async () => {
        await create(client, definition);
        await untilUsable(client, name);
      },
    });
  }
  return checks;
}

/**
 * Creates the tables that are missing and waits until both can be used; safe to repeat.
 *
 * @throws Error where a table of that name has other keys
 */
export async function createTables(client: DynamoDBClient, tables: RecordTables): Promise<TableSetUp[]> {
  const done: TableSetUp[] = [];
  for (const { name, wanted, found, create: createIt } of await checkTables(client, tables)) {
    if (found === undefined) await createIt();
    else if (found !== wanted) throw new Error(`table ${name} has the key ${found}, not ${wanted}`);
    else await untilUsable(client, name);
    done.push({ name, created: found === undefined });
  }
  return done;
}

async function untilUsable(client: DynamoDBClient, TableName: string): Promise<void> {
  await waitUntilTableExists({ client, maxWaitTime: READY_WITHIN_SECONDS, minDelay: 1 }, { TableName });
}

async function keysOf(client: DynamoDBClient, TableName: string): Promise<string | undefined> {
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    return describeKeys(Table ?? {});
  } catch (err) {
    if (err instanceof ResourceNotFoundException) return undefined;
    throw err;
  }
}

async function create(client: DynamoDBClient, definition: CreateTableCommandInput): Promise<void> {
  try {
    await client.send(new CreateTableCommand(definition));
  } catch (err) {
    // Someone else's setup was faster.
    if (!(err instanceof ResourceInUseException)) throw err;
  }
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
