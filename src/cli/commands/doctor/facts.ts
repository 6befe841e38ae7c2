/** What doctor reads of records, whatever is in them, and what is known of a job from them and from Temporal. */
import { attributeFaults, isOfKind, REQUIRED, type Kind } from '../../../records/attributes.ts';
import { itemsOf, type Item, type Table } from '../../../records/items.ts';
import type { Services } from '../../services.ts';

/** A job as a record or Temporal names it, as far as it could be read. */
export interface Named {
  account_id?: string | undefined;
  resource?: string | undefined;
  correlation_id?: string | undefined;
}

/** What a pass reads of each record. */
export const ATTRIBUTES: Record<Table, readonly string[]> = {
  status: [...Object.keys(REQUIRED.status), 'error_info'],
  history: [...Object.keys(REQUIRED.history), 'error_info'],
};

export function keyIn(table: Table, { account_id, resource, correlation_id }: Named): Item {
  return table === 'status' ? { account_id, resource } : { request_id: correlation_id };
}

/** @returns in the order of the jobs, `undefined` if there is no record under a job's names */
export function recordsOf(services: Services, table: Table, jobs: readonly Named[]) {
  const keys = jobs.map((job) => keyIn(table, job));
  return services.dynamoDb(() => itemsOf(services.tables, table, keys, ATTRIBUTES[table]));
}

/** @returns the names of the Step Functions state machine's attributes that are missing or of another type, each with what is wrong */
export function faultsOf(table: Table, item: Item): Map<string, string> {
  return attributeFaults(table, item, REQUIRED[table]);
}

/** An `error_info` belongs to FAILED alone, as a map with the texts Error and Cause; a FAILED record may lack it. */
export function isErrorInfoRight({ status, error_info }: Item): boolean {
  return error_info === undefined || (status === 'FAILED' && isOfKind(error_info, 'error_info'));
}

export function textOf(item: Item | undefined, name: string): string | undefined {
  const value = item?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** `error_info.Error`, which tells one FAILED from another. */
export function errorNameOf(item: Item | undefined): string | undefined {
  const errorInfo = item?.['error_info'];
  return typeof errorInfo === 'object' && errorInfo !== null ? textOf(errorInfo as Item, 'Error') : undefined;
}

/** Attributes that make a record, by name. */
export type Facts = Readonly<Record<string, unknown>>;

/** What is known of a job for its records: the first of the sources that has an attribute right wins. */
export function factsOf(sources: readonly (Item | undefined)[]): Facts {
  const more = { requested_by: 'text', previous_jobs: 'previous_jobs' } as const;
  const kinds: Record<string, Kind> = { ...REQUIRED.history, ...REQUIRED.status, ...more };
  const known = Object.entries(kinds).flatMap(([name, kind]) => {
    const source = sources.find((one) => isOfKind(one?.[name], kind));
    return source === undefined ? [] : [[name, source[name]]];
  });
  return Object.fromEntries(known) as Facts;
}
