/** What of a record doctor looks at, and what must be there: the attributes that the original writes. */
import type { Item, Table } from '../../records/items.ts';
import { statusAttributesOf, type RoleBuildInput } from '../../domain/role-build-input.ts';
import { attributeFaults, isOfKind, REQUIRED } from '../../records/attributes.ts';

/** What is read of each record on the way through a table. */
export const ATTRIBUTES: Record<Table, readonly string[]> = {
  status: [...Object.keys(REQUIRED.status), 'error_info'],
  history: [...Object.keys(REQUIRED.history), 'error_info'],
};

/** Attributes that make a record, by name. */
export type Facts = Readonly<Record<string, unknown>>;

/** @returns the names of the original's attributes that are missing or of another type, each with what is wrong */
export function faultsOf(table: Table, item: Item): Map<string, string> {
  return attributeFaults(table, item, REQUIRED[table]);
}

/** An `error_info` belongs to FAILED alone, as a map with the texts Error and Cause; whoever failed it may not have said why. */
export function isErrorInfoRight({ status, error_info }: Item): boolean {
  return error_info === undefined || (status === 'FAILED' && isOfKind(error_info, 'error_info'));
}

/** What is known of a job for its records: the first of the sources that has an attribute right wins. */
export function factsOf(sources: readonly (Item | undefined)[]): Facts {
  const facts: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries({
    ...REQUIRED.history,
    ...REQUIRED.status,
    requested_by: 'text' as const,
  })) {
    const source = sources.find((one) => isOfKind(one?.[name], kind));
    if (source !== undefined) facts[name] = source[name];
  }
  return facts;
}

/** An input's part in {@link factsOf}. */
export function factsOfInput(input: RoleBuildInput): Item {
  return {
    ...statusAttributesOf(input),
    request_id: input.correlation_id,
    requested_by: input.requested_by,
  };
}

/** A whole record of these facts, `undefined` where they don't suffice. */
export function recordOfFacts(table: Table, facts: Facts, status: string): Item | undefined {
  const names = Object.keys(REQUIRED[table]).filter((name) => name !== 'status');
  if (names.some((name) => facts[name] === undefined)) return undefined;
  return { ...Object.fromEntries(names.map((name) => [name, facts[name]])), status };
}

/** What a record says of a job; `undefined` where it is not text. */
export function textOf(item: Item | undefined, name: string): string | undefined {
  const value = item?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** `error_info.Error`, which tells one FAILED from another. */
export function errorNameOf(item: Item | undefined): string | undefined {
  const errorInfo = item?.['error_info'];
  return typeof errorInfo === 'object' && errorInfo !== null ? textOf(errorInfo as Item, 'Error') : undefined;
}
