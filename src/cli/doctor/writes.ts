/** The writes that mend records, made as the workflow makes its own. Each holds only where the record is as it was found. */
import { KEYS, type Item, type Table } from '../../records/items.ts';
import type { RecordWrite } from '../../records/mend.ts';
import { recordOfFacts, type Facts } from './attributes.ts';
import type { End } from './trace.ts';

/** A status that a record is to have, and what belongs to it. */
export type Right = End | { status: 'IN_PROGRESS'; build_id?: undefined; error_info?: undefined };

/** A write, and what it does in words. */
export interface DescribedWrite {
  write: RecordWrite;
  does: string;
}

export function setStatus(table: Table, found: Item, right: Right): DescribedWrite {
  const { status, build_id, error_info } = right;
  // A build ID that the record knows stays true whatever its end; another end's error does not.
  const remove = error_info === undefined && found['error_info'] !== undefined ? ['error_info'] : [];
  const set = { status, build_id, error_info, updated_at: now() };
  return {
    write: { table, key: keyOf(table, found), found, set, remove },
    does: `set the ${table} record to ${inWords(right)}${remove.length === 0 ? '' : ', without error_info'}`,
  };
}

/** @param found an older job's record that this one replaces @returns `undefined` where too little is known of the job */
export function createRecord(
  table: Table,
  facts: Facts,
  found: Item | undefined,
  right: Right,
): DescribedWrite | undefined {
  const record = recordOfFacts(table, facts, right.status);
  if (record === undefined) return undefined;
  const more: Item = {
    build_id: right.build_id,
    error_info: right.error_info,
    ...(table === 'history' ? { requested_by: facts['requested_by'] } : {}),
  };
  const remove = Object.keys(more).filter((name) => more[name] === undefined && found?.[name] !== undefined);
  return {
    write: { table, key: keyOf(table, record), found, set: { ...record, ...more, updated_at: now() }, remove },
    does: `${found === undefined ? 'create' : "replace the older job's"} ${table} record: ${inWords(right)}`,
  };
}

/** @returns `undefined` where one of them is not known */
export function setAttributes(
  table: Table,
  found: Item,
  names: readonly string[],
  facts: Facts,
): DescribedWrite | undefined {
  if (names.some((name) => facts[name] === undefined)) return undefined;
  const set = Object.fromEntries(names.map((name) => [name, facts[name]]));
  const values = Object.entries(set).map(([name, value]) => `${name} to ${JSON.stringify(value)}`);
  return {
    write: { table, key: keyOf(table, found), found, set },
    does: `in the ${table} record, set ${values.join(', ')}`,
  };
}

function inWords({ status, error_info }: Right): string {
  return error_info === undefined ? status : `${status}, ${error_info.Error}`;
}

function keyOf(table: Table, record: Item): Item {
  return Object.fromEntries(KEYS[table].map((name) => [name, record[name]]));
}

function now(): string {
  return new Date().toISOString();
}
