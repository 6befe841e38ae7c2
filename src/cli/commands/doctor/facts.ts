/** Reads records whatever they contain, and collects what records and Temporal know of a job. */
import { attributeFaults, isOfKind, REQUIRED, type Kind } from '../../../records/attributes.ts';
import { itemsOf, type Item, type Table } from '../../../records/items.ts';
import type { Services } from '../../services.ts';

/** The names of a job, as far as its record or Temporal has them. */
export interface Named {
  account_id?: string | undefined;
  resource?: string | undefined;
  correlation_id?: string | undefined;
}

/** The attributes that a pass reads. */
export const ATTRIBUTES: Record<Table, readonly string[]> = {
  status: [...Object.keys(REQUIRED.status), 'error_info'],
  history: [...Object.keys(REQUIRED.history), 'error_info'],
};

export function keyIn(table: Table, { account_id, resource, correlation_id }: Named): Item {
  return table === 'status' ? { account_id, resource } : { request_id: correlation_id };
}

/** @returns in the order of the jobs; `undefined` if there is no record */
export function recordsOf(services: Services, table: Table, jobs: readonly Named[]) {
  const keys = jobs.map((job) => keyIn(table, job));
  return services.dynamoDb(() => itemsOf(services.tables, table, keys, ATTRIBUTES[table]));
}

/** @returns the state machine's attributes that are missing or of another type, each with what is wrong */
export function faultsOf(table: Table, item: Item): Map<string, string> {
  return attributeFaults(table, item, REQUIRED[table]);
}

/** Only a FAILED record may have an `error_info`, which is a map with the texts Error and Cause. */
export function isErrorInfoRight({ status, error_info }: Item): boolean {
  return error_info === undefined || (status === 'FAILED' && isOfKind(error_info, 'error_info'));
}

export function textOf(item: Item | undefined, name: string): string | undefined {
  const value = item?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** Returns `error_info.Error`, which distinguishes FAILED records. */
export function errorNameOf(item: Item | undefined): string | undefined {
  const errorInfo = item?.['error_info'];
  return typeof errorInfo === 'object' && errorInfo !== null ? textOf(errorInfo as Item, 'Error') : undefined;
}

/** The attributes of a job's records that are known, by name. */
export type Facts = Readonly<Record<string, unknown>>;

/** Collects the attributes of a job's records. The first source with a valid value wins. */
export function factsOf(sources: readonly (Item | undefined)[]): Facts {
  const more = { requested_by: 'text', previous_jobs: 'previous_jobs' } as const;
  const kinds: Record<string, Kind> = { ...REQUIRED.history, ...REQUIRED.status, ...more };
  const known = Object.entries(kinds).flatMap(([name, kind]) => {
    const source = sources.find((one) => isOfKind(one?.[name], kind));
    return source === undefined ? [] : [[name, source[name]]];
  });
  return Object.fromEntries(known) as Facts;
}
