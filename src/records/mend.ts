/** Writes to a record that hold only where it is still as it was found. */
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { KEYS, tableName, type Item, type Table } from './items.ts';
import { holds, type RecordTables } from './write.ts';

export interface RecordWrite {
  table: Table;
  key: Item;
  /** The record that was found; `undefined` where there was none, and there still must be none. */
  found: Item | undefined;
  set: Item;
  /** Attributes that go. */
  remove?: readonly string[];
}

/** Each write of a job changes one of these, so that a record which has moved on is told from the one that was found. */
const TELLING = ['job_id', 'start_at', 'status', 'updated_at'];

/** @returns whether it was written; not where the record is no longer the one that was found */
export function writeAsFound(tables: RecordTables, write: RecordWrite): Promise<boolean> {
  const { table, key, found, remove = [] } = write;
  const keyNames: readonly string[] = KEYS[table];
  const set = Object.entries(write.set).filter(([name, value]) => !keyNames.includes(name) && value !== undefined);
  const compared = found === undefined ? [] : [...new Set([...TELLING, ...set.map(([name]) => name)])];
  const scalars = compared.filter((name) => isScalar(found?.[name]));
  const conditions =
    found === undefined
      ? [`attribute_not_exists(#${keyNames[0]})`]
      : compared.map((name) => {
          if (scalars.includes(name)) return `#${name} = :found_${name}`;
          return `attribute_${found[name] === undefined ? 'not_' : ''}exists(#${name})`;
        });
  const named = new Set([
    ...compared,
    ...set.map(([name]) => name),
    ...remove,
    ...(found === undefined ? keyNames.slice(0, 1) : []),
  ]);
  const sets = set.map(([name]) => `#${name} = :new_${name}`).join(', ');
  return holds(
    tables.client.send(
      new UpdateCommand({
        TableName: tableName(tables, table),
        Key: Object.fromEntries(keyNames.map((name) => [name, key[name]])),
        UpdateExpression: `SET ${sets}${remove.length === 0 ? '' : ` REMOVE ${remove.map((name) => `#${name}`).join(', ')}`}`,
        ConditionExpression: conditions.join(' AND '),
        ExpressionAttributeNames: Object.fromEntries([...named].map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: Object.fromEntries([
          ...set.map(([name, value]) => [`:new_${name}`, value]),
          ...scalars.map((name) => [`:found_${name}`, found?.[name]]),
        ]),
      }),
    ),
  );
}

/** Compared by value; of maps and the like, and of numbers that JavaScript may have rounded, only that they are there. */
function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean';
}
