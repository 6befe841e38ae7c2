/** How many search attributes builds need, how many a namespace has room for, and what to do where they can't be registered. */
import type { temporal } from '@temporalio/proto';
import type { searchAttributes } from '../contract.ts';
import { CliError } from './errors.ts';
import { quoted } from './next-move.ts';

export type IndexedValueType = temporal.api.enums.v1.IndexedValueType;

/** A search attribute as the namespace has it and as it must be. */
export interface SearchAttributeCheck {
  name: string;
  type: TypeName;
  wanted: IndexedValueType;
  /** `undefined` where it is not registered. */
  found: IndexedValueType | undefined;
}

type TypeName = (typeof searchAttributes)[keyof typeof searchAttributes]['type'];

export function isMissing({ found }: SearchAttributeCheck): boolean {
  return found === undefined;
}

export function hasOtherType({ found, wanted }: SearchAttributeCheck): boolean {
  return found !== undefined && found !== wanted;
}

/** As Temporal's command lines spell them. */
const TYPE_NAMES: Record<TypeName, string> = { KEYWORD: 'Keyword', BOOL: 'Bool' };

/** The search attributes of one type. */
export interface Room {
  type: TypeName;
  /** How many builds need, */
  needed: number;
  /** how many of those are not registered, */
  missing: number;
  /** and how many more a namespace takes; `undefined` where nothing says so. */
  free: number | undefined;
  /** Those of others, by name. */
  others: string[];
}

/**
 * What an SQL store keeps of each type for a namespace, and refuses beyond; others have no such limit.
 * https://docs.temporal.io/search-attribute#custom-search-attribute
 */
export const SQL_STORES = /\b(sqlite|mysql|postgres)/;
export const SQL_LIMITS: Record<TypeName, number> = { KEYWORD: 10, BOOL: 3 };

/** They are not registered, and what has to be done about it first. */
export class RegistrationRefused extends CliError {
  override name = 'RegistrationRefused';
  readonly fix: string;
  /** What somebody else has to run, who may. */
  readonly command: string | undefined;

  constructor(message: string, fix: string, options: { command?: string; cause?: unknown } = {}) {
    super('unreachable', message, { cause: options.cause, hint: fix });
    this.fix = fix;
    this.command = options.command;
  }
}

export function roomsOf(
  checks: readonly SearchAttributeCheck[],
  there: Readonly<Record<string, IndexedValueType>>,
  limits: typeof SQL_LIMITS | undefined,
): Room[] {
  return (Object.keys(TYPE_NAMES) as TypeName[]).map((type) => {
    const own = checks.filter((check) => check.type === type);
    const wanted = own[0]?.wanted;
    const used = Object.keys(there).filter((name) => there[name] === wanted);
    return {
      type,
      needed: own.length,
      missing: own.filter(isMissing).length,
      free: limits === undefined ? undefined : Math.max(0, limits[type] - used.length),
      others: used.filter((name) => !own.some((check) => check.name === name)).sort(),
    };
  });
}

/** How many are needed and how many are free. */
export function describeRooms(rooms: readonly Room[]): string {
  const each = rooms.map(
    ({ type, needed, missing, free }) =>
      `${needed} ${TYPE_NAMES[type]}${missing === 0 ? '' : ` (${missing} of them missing)`}` +
      (free === undefined ? '' : `, ${free} more free`),
  );
  const isKnown = rooms.some(({ free }) => free !== undefined);
  return `search attributes needed: ${each.join('; ')}${isKnown ? '' : '; how many are free is not known here'}`;
}

/** @returns why a namespace can't take those that are missing; `undefined` where it can, as far as is known */
export function whyNoRoom(namespace: string, rooms: readonly Room[]): RegistrationRefused | undefined {
  const full = rooms.filter(({ missing, free }) => free !== undefined && missing > free);
  if (full.length === 0) return undefined;
  const lacks = full.map(({ type, missing, free }) => `${missing} ${TYPE_NAMES[type]} are missing and ${free} free`);
  const limits = full.map(({ type }) => `${SQL_LIMITS[type]} ${TYPE_NAMES[type]}`);
  return new RegistrationRefused(
    `namespace ${namespace} has no room for the search attributes: ${lacks.join(', ')}; an SQL store of Temporal's ` +
      `takes ${limits.join(' and ')} in a namespace`,
    ownNamespaceOr(
      namespace,
      full.flatMap(({ others }) => others),
    ),
  );
}

/** What helps where a namespace has search attributes that are in the way. */
export function ownNamespaceOr(namespace: string, inTheWay: readonly string[]): string {
  return (
    'Give builds a namespace of their own (temporal operator namespace create --namespace role-builds, then ' +
    'TEMPORAL_NAMESPACE=role-builds for workers and callers), or remove what nobody uses ' +
    `(temporal operator search-attribute remove --namespace ${quoted(namespace)} --name NAME; ` +
    `there are ${inTheWay.join(', ')}), then run role-build setup again.`
  );
}

/** A namespace of Temporal Cloud is named with its account. https://docs.temporal.io/cloud/namespaces */
const CLOUD_NAMESPACE = /^[a-z][a-z0-9-]*\.[a-z0-9]+$/;

/**
 * The command that somebody who may do so registers them with: Temporal Cloud's own command line for its namespaces,
 * `temporal` for any other.
 */
export function registrationCommand(namespace: string, missing: readonly SearchAttributeCheck[]): string {
  const named = missing.map(({ name, type }) => ({ name, type: TYPE_NAMES[type] }));
  return CLOUD_NAMESPACE.test(namespace)
    ? [
        `tcld namespace search-attributes add --namespace ${namespace}`,
        ...named.map(({ name, type }) => `--search-attribute ${name}=${type}`),
      ].join(' ')
    : [
        `temporal operator search-attribute create --namespace ${quoted(namespace)}`,
        ...named.map(({ name, type }) => `--name ${name} --type ${type}`),
      ].join(' ');
}
