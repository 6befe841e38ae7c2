/** The writes that repair records, made as the workflow makes its own. Each holds only if the record is as it was found. */
import type { Item, Table } from '../../../records/items.ts';
import type { RecordWrite } from '../../../records/repair.ts';
import { recordOfFacts, type Facts } from './facts.ts';
import type { End } from './trace.ts';

/** A status that a record is to have, and what belongs to it. */
export type DesiredState = End | ({ status: 'IN_PROGRESS' } & { [K in keyof Omit<End, 'status'>]?: undefined });

/** A write, and what it does in words. */
export interface DescribedWrite extends RecordWrite {
  does: string;
}

export function setStatus(table: Table, found: Item, desired: DesiredState): DescribedWrite {
  const { status, build_id, error_info, directory_group } = desired;
  // A build ID that the record knows stays true whatever its end; another end's error does not.
  const remove = error_info === undefined && found['error_info'] !== undefined ? ['error_info'] : [];
  const set = { status, build_id, error_info, directory_group, updated_at: new Date().toISOString() };
  const does = `set the ${table} record to ${inWords(desired)}${remove.length === 0 ? '' : ', without error_info'}`;
  return { table, found, set, remove, does };
}

/** @param found an older job's record that this one replaces @returns nothing if too little is known of the job */
export function createRecord(
  table: Table,
  facts: Facts,
  found: Item | undefined,
  desired: DesiredState,
): DescribedWrite[] {
  const record = recordOfFacts(table, facts, desired.status);
  if (record === undefined) return [];
  const { build_id, error_info, directory_group } = desired;
  const more: Item = { build_id, error_info, directory_group };
  if (table === 'history') more['requested_by'] = facts['requested_by'];
  const remove = Object.keys(more).filter((name) => more[name] === undefined && found?.[name] !== undefined);
  const set = { ...record, ...more, updated_at: new Date().toISOString() };
  const does = `${found === undefined ? 'create' : "replace the older job's"} ${table} record: ${inWords(desired)}`;
  return [{ table, found, set, remove, does }];
}

/** @returns nothing if one of them is not known */
export function setAttributes(table: Table, found: Item, names: readonly string[], facts: Facts): DescribedWrite[] {
  if (names.some((name) => facts[name] === undefined)) return [];
  const set = Object.fromEntries(names.map((name) => [name, facts[name]]));
  const values = Object.entries(set).map(([name, value]) => `${name} to ${JSON.stringify(value)}`);
  return [{ table, found, set, does: `in the ${table} record, set ${values.join(', ')}` }];
}

function inWords({ status, error_info }: DesiredState): string {
  return error_info === undefined ? status : `${status}, ${error_info.Error}`;
}
