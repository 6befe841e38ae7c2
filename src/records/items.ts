/** Raw items of both tables. Nothing here assumes that an item is a valid record. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  BatchGetItemCommand,
  GetItemCommand,
  ResourceNotFoundException,
  ScanCommand,
  type AttributeValue,
  type KeysAndAttributes,
} from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** The two tables and the client that reads and writes them. */
export interface RecordTables {
  client: DynamoDBDocumentClient;
  statusTable: string;
  historyTable: string;
}

export type Table = 'status' | 'history';
/**
 * An item in plain values: strings, numbers, booleans, `null`, lists and maps. Sets, binaries and numbers that JavaScript
 * can't hold stay in DynamoDB's JSON: `{"SS": [...]}`, `{"B": "base64"}`, `{"N": "12345678901234567890"}`.
 */
export type Item = Record<string, unknown>;

/** The key attributes, in order. */
export const KEYS = { status: ['account_id', 'resource'], history: ['request_id'] } as const;
/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
export const KEY_MAX_BYTES = [2048, 1024] as const;

const BATCH_MAX_KEYS = 100;
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

export function tableName(tables: RecordTables, table: Table): string {
  return table === 'status' ? tables.statusTable : tables.historyTable;
}

/** Scans a whole table; holds one page in memory. @param attributes what is read of each item */
export async function* pagesOf(
  tables: RecordTables,
  table: Table,
  attributes: readonly string[],
  limit: number,
): AsyncGenerator<Item[]> {
  let start: Record<string, AttributeValue> | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await patiently(() =>
      tables.client.send(
        new ScanCommand({
          TableName: tableName(tables, table),
          Limit: limit,
          ...projection(attributes),
          ExclusiveStartKey: start,
        }),
      ),
    );
    yield Items.map(plainItem);
    start = LastEvaluatedKey;
  } while (start !== undefined);
}

/**
 * Returns the items in the order of their keys; `undefined` for a missing item or an invalid key.
 *
 * @param options `consistent` if recent writes must be visible
 */
export async function itemsOf(
  tables: RecordTables,
  table: Table,
  keys: readonly Item[],
  attributes: readonly string[],
  { consistent = false }: { consistent?: boolean } = {},
): Promise<(Item | undefined)[]> {
  const found = new Map<string, Item>();
  const distinct = new Map(keys.filter((key) => isKey(table, key)).map((key) => [keyText(table, key), key]));
  const open = [...distinct.values()].map((key) => rawKey(table, key));
  for (let waits = 0; open.length > 0;) {
    const wanted: KeysAndAttributes = {
      Keys: open.splice(0, BATCH_MAX_KEYS),
      ConsistentRead: consistent,
      ...projection(attributes),
    };
    const name = tableName(tables, table);
    const { Responses, UnprocessedKeys } = await patiently(() =>
      tables.client.send(new BatchGetItemCommand({ RequestItems: { [name]: wanted } })),
    );
    for (const raw of Responses?.[name] ?? []) {
      const item = plainItem(raw);
      found.set(keyText(table, item), item);
    }
    const again = UnprocessedKeys?.[name]?.Keys ?? [];
    open.push(...again);
    waits = again.length === 0 ? 0 : waits + 1;
    if (waits > 0) await wait(waits);
  }
  return keys.map((key) => found.get(keyText(table, key)));
}

/** Reads one item (a consistent read); `undefined` if it is missing or the key is invalid. */
export async function itemOf(tables: RecordTables, table: Table, key: Item): Promise<Item | undefined> {
  return isKey(table, key) ? patiently(() => readItem(tables, table, key)) : undefined;
}

/** Reads one item in one request (a consistent read), for callers that make their own retries. */
export async function readItem(tables: RecordTables, table: Table, key: Item): Promise<Item | undefined> {
  const { Item: raw } = await tables.client.send(
    new GetItemCommand({ TableName: tableName(tables, table), Key: rawKey(table, key), ConsistentRead: true }),
  );
  return raw === undefined ? undefined : plainItem(raw);
}

/** Returns a key as text. An item gives the same text as its key. */
function keyText(table: Table, item: Item): string {
  return JSON.stringify(KEYS[table].map((name) => item[name]));
}

/** Whether DynamoDB accepts it as a key. */
export function isKey(table: Table, key: Item): boolean {
  return KEYS[table].every((name, i) => {
    const value = key[name];
    return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= (KEY_MAX_BYTES[i] ?? 0);
  });
}

function rawKey(table: Table, key: Item): Record<string, AttributeValue> {
  return Object.fromEntries(KEYS[table].map((name) => [name, { S: key[name] as string }]));
}

function projection(attributes: readonly string[]) {
  return {
    ProjectionExpression: attributes.map((name) => `#${name}`).join(', '),
    ExpressionAttributeNames: Object.fromEntries(attributes.map((name) => [`#${name}`, name])),
  };
}

export function plainItem(item: Record<string, AttributeValue>): Item {
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plain(value)]));
}

/** The document client throws on numbers beyond JavaScript's, and returns sets and binaries that JSON does not show. */
function plain(value: AttributeValue): unknown {
  if (value.S !== undefined) return value.S;
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.N !== undefined) return isExact(value.N) ? Number(value.N) : value;
  if (value.NULL !== undefined) return null;
  if (value.L !== undefined) return value.L.map(plain);
  if (value.M !== undefined) return plainItem(value.M);
  if (value.B !== undefined) return { B: base64(value.B) };
  if (value.BS !== undefined) return { BS: value.BS.map(base64) };
  return value;
}

/** Whether JavaScript holds the number exactly. DynamoDB and JavaScript both write numbers in the shortest form. */
function isExact(text: string): boolean {
  return String(Number(text)) === text;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** The client's own retries are off, but one throttled call should not end a long scan of a table. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (err) {
      if (attempt === ATTEMPTS || isFinal(err)) throw err;
      await wait(attempt);
    }
  }
}

function isFinal(err: unknown): boolean {
  if (err instanceof ResourceNotFoundException) return true;
  return /^(Validation|AccessDenied|UnrecognizedClient|InvalidSignature|CredentialsProvider)/.test((err as Error).name);
}

async function wait(attempt: number): Promise<void> {
  const ms = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS);
  await delay(ms);
}
