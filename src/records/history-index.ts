/** The history table's index: an account's requests by start. Builds don't need it; the command `history` reads it. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  DescribeTableCommand,
  UpdateTableCommand,
  type AttributeDefinition,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  type GlobalSecondaryIndexDescription,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { HISTORY_INDEX_NAME } from './names.ts';

const KEYS = ['account_id', 'start_at'] as const;

export const HISTORY_INDEX = {
  attributes: KEYS.map((AttributeName): AttributeDefinition => ({ AttributeName, AttributeType: 'S' })),
  definition: {
    IndexName: HISTORY_INDEX_NAME,
    KeySchema: [
      { AttributeName: KEYS[0], KeyType: 'HASH' },
      { AttributeName: KEYS[1], KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'ALL' },
  } satisfies GlobalSecondaryIndex,
} as const;

/** DynamoDB fills a new index from the table. This takes long if the table is large. */
const ACTIVE_WITHIN_MS = 600_000;
/** A description of the table may be out of date for a moment. */
const SEEN_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 500;

/** We may lack permission to change a table, and dynalite can't add an index. Only `history` needs the index. */
const REFUSED = ['AccessDeniedException', 'ValidationException'];
/** Someone else's setup was faster. */
const BUSY = ['ResourceInUseException', 'LimitExceededException'];

export interface IndexSetUp {
  name: string;
  created: boolean;
  /** `ACTIVE`; `CREATING` if it was not ready in time; `MISSING` if it was refused. */
  status: string;
  /** Why the index is missing. */
  reason?: string;
}

/** A table or an index has another key, so the right one can't be created. */
export class KeyMismatchError extends Error {
  override name = 'KeyMismatchError';

  constructor(what: string, found: string, wanted: string) {
    super(`${what} has the key ${found}, not ${wanted}`);
  }
}

/** @returns whether the index is there, filled or not @throws KeyMismatchError */
export async function hasHistoryIndex(client: DynamoDBClient, tableName: string): Promise<boolean> {
  return indexOf(await describeTable(client, tableName)) !== undefined;
}

/**
 * Adds the index if the table lacks it, and waits until it can be read.
 *
 * @param isNewTable whether the table was created just now, with the index
 * @throws KeyMismatchError
 */
export async function addHistoryIndex(
  client: DynamoDBClient,
  tableName: string,
  isNewTable: boolean,
): Promise<IndexSetUp> {
  const table = await describeTable(client, tableName);
  if (indexOf(table) !== undefined) {
    return { name: HISTORY_INDEX_NAME, created: isNewTable, status: await untilActive(client, tableName) };
  }
  const missing = (reason: string) => ({ name: HISTORY_INDEX_NAME, created: false, status: 'MISSING', reason });
  let reason = 'it was accepted, and is not there';
  try {
    await client.send(
      new UpdateTableCommand({
        TableName: tableName,
        AttributeDefinitions: [...HISTORY_INDEX.attributes],
        GlobalSecondaryIndexUpdates: [{ Create: { ...HISTORY_INDEX.definition, ...throughputLike(table) } }],
      }),
    );
  } catch (err) {
    const { name, message } = err as Error;
    if (REFUSED.includes(name)) return missing(message);
    if (!BUSY.includes(name)) throw err;
    reason = message;
  }
  const status = await untilActive(client, tableName);
  return status === 'MISSING' ? missing(reason) : { name: HISTORY_INDEX_NAME, created: true, status };
}

async function untilActive(client: DynamoDBClient, tableName: string): Promise<string> {
  const began = performance.now();
  for (;;) {
    const index = indexOf(await describeTable(client, tableName));
    // DynamoDB Local and dynalite sometimes omit the status of an index.
    const status = index === undefined ? 'MISSING' : (index.IndexStatus ?? 'ACTIVE');
    const limit = status === 'MISSING' ? SEEN_WITHIN_MS : ACTIVE_WITHIN_MS;
    if (status === 'ACTIVE' || performance.now() - began > limit) return status;
    await delay(LOOK_EVERY_MS);
  }
}

/** @throws ResourceNotFoundException if there is no such table */
export async function describeTable(client: DynamoDBClient, TableName: string): Promise<TableDescription> {
  return (await client.send(new DescribeTableCommand({ TableName }))).Table ?? {};
}

function indexOf(table: TableDescription): GlobalSecondaryIndexDescription | undefined {
  const index = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === HISTORY_INDEX_NAME);
  const keys = index?.KeySchema?.map(({ AttributeName }) => AttributeName).join(' + ') ?? '';
  const wanted = KEYS.join(' + ');
  if (index !== undefined && keys !== wanted) throw new KeyMismatchError(`index ${HISTORY_INDEX_NAME}`, keys, wanted);
  return index;
}

/** Returns nothing for a table on demand. If a table is provisioned, its index must be too. */
function throughputLike({ BillingModeSummary, ProvisionedThroughput }: TableDescription) {
  const { ReadCapacityUnits, WriteCapacityUnits } = ProvisionedThroughput ?? {};
  if (BillingModeSummary?.BillingMode === 'PAY_PER_REQUEST' || !ReadCapacityUnits || !WriteCapacityUnits) return {};
  return { ProvisionedThroughput: { ReadCapacityUnits, WriteCapacityUnits } };
}
