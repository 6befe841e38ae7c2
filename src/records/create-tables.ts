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
import { addHistoryIndex, HISTORY_INDEX, type IndexSetUp } from './history-index.ts';
import type { RecordTables } from './write.ts';

const READY_WITHIN_SECONDS = 120;

/** Both tables with the original's keys, and an index of ours; all key attributes are strings. */
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
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? 'HASH' : 'RANGE' })),
  };
}

export interface TableSetUp {
  name: string;
  created: boolean;
  /** Of the history table. */
  index?: IndexSetUp;
}

/**
 * Creates the tables that are missing, and the history's index, and waits until all can be used; safe to repeat.
 *
 * @throws Error where a table or index of that name has other keys
 */
export async function createTables(client: DynamoDBClient, tables: RecordTables): Promise<TableSetUp[]> {
  const done: TableSetUp[] = [];
  for (const definition of definitions(tables)) {
    const name = definition.TableName ?? '';
    const found = await keysOf(client, name);
    if (found === undefined) await create(client, definition);
    else if (found !== describeKeys(definition)) {
      throw new Error(`table ${name} has the key ${found}, not ${describeKeys(definition)}`);
    }
    await waitUntilTableExists({ client, maxWaitTime: READY_WITHIN_SECONDS, minDelay: 1 }, { TableName: name });
    const created = found === undefined;
    if (definition.GlobalSecondaryIndexes === undefined) done.push({ name, created });
    else done.push({ name, created, index: await addHistoryIndex(client, name, created) });
  }
  return done;
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
