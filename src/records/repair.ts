/** Writes that succeed only if the record is still as it was found. */
import { KEYS, type Item, type RecordTables, type Table } from './items.ts';
import { updateIf } from './write.ts';

export interface RecordWrite {
  table: Table;
  /** The record that was found; `undefined` if there was none, and there still must be none. */
  found: Item | undefined;
  /** Includes the key if there was no record. */
  set: Item;
  /** Attributes to remove. */
  remove?: readonly string[];
}

/** Each write of a job changes one of these, so they reveal whether a record has changed since it was read. */
const TELLING = ['job_id', 'start_at', 'status', 'updated_at'];

/** @returns `false` if the record is no longer the one that was found */
export async function writeAsFound(tables: RecordTables, write: RecordWrite): Promise<boolean> {
  const { table, found, remove = [] } = write;
  const keyNames: readonly string[] = KEYS[table];
  const set = Object.entries(write.set).filter(([name, value]) => !keyNames.includes(name) && value !== undefined);
  const attributes = { ...Object.fromEntries(set), ...Object.fromEntries(remove.map((name) => [name, undefined])) };
  const compared = new Set([...TELLING, ...Object.keys(attributes)]);
  const condition =
    found === undefined
      ? [`attribute_not_exists(#${keyNames[0]})`]
      : [...compared].map((name) => still(name, found[name]));
  const values = [...compared]
    .filter((name) => isScalar(found?.[name]))
    .map((name) => [`:found_${name}`, found?.[name]]);
  const { written } = await updateIf(tables, table, found ?? write.set, attributes, {
    anyOf: [condition.join(' AND ')],
    values: Object.fromEntries(values) as Item,
  });
  return written;
}

function still(name: string, value: unknown): string {
  if (isScalar(value)) return `#${name} = :found_${name}`;
  return `attribute_${value === undefined ? 'not_' : ''}exists(#${name})`;
}

/** Scalars are compared by value. Of the rest, with numbers that JavaScript may have rounded, only presence counts. */
function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean';
}
