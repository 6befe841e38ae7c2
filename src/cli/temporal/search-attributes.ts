/** Compares a namespace's search attributes with those of builds; registers missing ones, or says who else can. */
import { setTimeout as delay } from 'node:timers/promises';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { searchAttributes } from '../../contract.ts';
import { quoted } from '../build/next-step.ts';
import { CliError } from '../errors/cli-error.ts';
import { undefinedIf } from '../errors/expected.ts';
import { grpcErrorOf, hasGrpcStatus } from '../../domain/grpc.ts';
import type { Services } from '../services.ts';

type TypeName = (typeof searchAttributes)[keyof typeof searchAttributes]['type'];

/**
 * The types' names in Temporal's command lines, and how many of each an SQL store takes per namespace. Other stores
 * have no limit. https://docs.temporal.io/search-attribute#custom-search-attribute
 */
const TYPES = { KEYWORD: { name: 'Keyword', sqlLimit: 10 }, BOOL: { name: 'Bool', sqlLimit: 3 } } as const;
const SQL_STORES = /\b(sqlite|mysql|postgres)/;

/** Servers notice a new search attribute with a delay. */
const USABLE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;

export type SearchAttributesFound = ReturnType<typeof foundIn>;
type Rooms = SearchAttributesFound['rooms'];

/** The search attributes are not registered; the hint says what has to be done first. */
export class RegistrationRefused extends CliError {
  override name = 'RegistrationRefused';
  readonly fix: string;
  /** The command that somebody with the permission has to run. */
  readonly command: string | undefined;

  constructor(message: string, fix: string, more: { command?: string; cause?: unknown } = {}) {
    super('unreachable', message, { cause: more.cause, hint: fix });
    this.fix = fix;
    this.command = more.command;
  }
}

/**
 * Checks the search attributes without changing any. If the connection may not list them, an attribute that a query
 * accepts counts as registered with the right type.
 */
export async function checkSearchAttributes(services: Services): Promise<SearchAttributesFound> {
  const { client, connection, namespace } = services;
  try {
    const { customAttributes } = await services.temporal(() =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
    const cluster = await undefinedIf(
      isRefusal,
      services.temporal(() => client.workflowService.getClusterInfo({})),
    );
    return foundIn(customAttributes ?? {}, SQL_STORES.test(cluster?.visibilityStore ?? ''));
  } catch (err) {
    if (!isRefusal(err)) throw err;
    const own = Object.values(searchAttributes);
    const canBeQueried = (name: string) => untilUsable(services, false, [name]).then(() => true);
    const known = await Promise.all(own.map(({ name }) => undefinedIf(isNotTaken, canBeQueried(name))));
    return foundIn(numbersOf(own.filter((_, i) => known[i])), false);
  }
}

/**
 * @param there all search attributes of the namespace by name, with Temporal's numbers of their types
 * @param isLimited whether the namespace is known to have the limits of an SQL store
 */
function foundIn(there: Readonly<Record<string, number>>, isLimited: boolean) {
  const checks = Object.values(searchAttributes).map(({ name, type }) => {
    const known = there[name] === numberOf(type) ? 'registered' : 'of another type';
    return { name, type, state: Object.hasOwn(there, name) ? known : 'missing' } as const;
  });
  /** By type: how many search attributes builds need, how many of them are missing, and how many more fit, if known. */
  const rooms = (Object.keys(TYPES) as TypeName[]).map((type) => {
    const own = checks.filter((check) => check.type === type);
    const used = Object.keys(there).filter((name) => there[name] === numberOf(type));
    return {
      type,
      needed: own.length,
      missing: own.filter(({ state }) => state === 'missing').length,
      free: isLimited ? Math.max(0, TYPES[type].sqlLimit - used.length) : undefined,
      /** The names of other programs' search attributes. */
      others: used.filter((name) => !own.some((check) => check.name === name)).sort(),
    };
  });
  return { checks, rooms, there, isLimited };
}

function numberOf(type: TypeName): number {
  return encodeSearchAttributeIndexedValueType(type) as number;
}

function numbersOf(attributes: readonly { name: string; type: TypeName }[]): Record<string, number> {
  return Object.fromEntries(attributes.map(({ name, type }) => [name, numberOf(type)]));
}

/**
 * Registers missing search attributes, all or none; {@link untilUsable} waits until they can be used.
 *
 * @param only limits them to these names
 * @returns the search attributes afterwards
 * @throws RegistrationRefused
 */
export async function addSearchAttributes(
  services: Services,
  { checks, rooms, there, isLimited }: SearchAttributesFound,
  only?: readonly string[],
): Promise<SearchAttributesFound> {
  const { connection, namespace } = services;
  const missing = checks.filter(({ name, state }) => state === 'missing' && only?.includes(name) !== false);
  const added = numbersOf(missing);
  try {
    await services.temporal(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: added }),
    );
  } catch (err) {
    const details = grpcErrorOf(err)?.details ?? (err as Error).message;
    if (isRefusal(err)) {
      throw new RegistrationRefused(
        `Temporal does not allow this identity to register search attributes: ${details}`,
        'Have somebody with that permission run the command above, then run role-build setup again.',
        { command: registrationCommand(namespace, missing), cause: err },
      );
    }
    if (isNotTaken(err)) {
      const others = rooms.flatMap((room) => room.others);
      const why = `Temporal does not take the search attributes: ${details}`;
      throw whyNoRoom(namespace, rooms) ?? new RegistrationRefused(why, ownNamespaceOr(namespace, others));
    }
    // Another setup may have registered them meanwhile.
    if (!hasGrpcStatus(err, 'ALREADY_EXISTS')) throw err;
  }
  return foundIn({ ...there, ...added }, isLimited);
}

/** Waits until queries accept every attribute, because a start before that would be refused. */
export async function untilUsable(
  { client, temporal: call }: Services,
  areNew: boolean,
  names: readonly string[] = Object.keys(searchAttributes),
): Promise<void> {
  const query = names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const giveUpAt = performance.now() + USABLE_WITHIN_MS;
  for (;;) {
    try {
      await call(() => client.workflow.count(query));
      return;
    } catch (err) {
      if (!areNew || !isNotTaken(err) || performance.now() > giveUpAt) throw err;
      await delay(LOOK_EVERY_MS);
    }
  }
}

function isRefusal(err: unknown): boolean {
  return hasGrpcStatus(err, 'PERMISSION_DENIED', 'UNIMPLEMENTED');
}

function isNotTaken(err: unknown): boolean {
  return hasGrpcStatus(err, 'INVALID_ARGUMENT');
}

export function describeRooms(rooms: Rooms): string {
  const each = rooms.map(({ type, needed, missing, free }) => {
    const lacking = missing === 0 ? '' : ` (${missing} of them missing)`;
    return `${needed} ${TYPES[type].name}${lacking}${free === undefined ? '' : `, ${free} more free`}`;
  });
  const isKnown = rooms.some(({ free }) => free !== undefined);
  return `search attributes needed: ${each.join('; ')}${isKnown ? '' : '; how many are free is not known here'}`;
}

/** @returns why a namespace can't take the missing search attributes; `undefined` if it can or that is not known */
export function whyNoRoom(namespace: string, rooms: Rooms): RegistrationRefused | undefined {
  const full = rooms.filter(({ missing, free }) => free !== undefined && missing > free);
  if (full.length === 0) return undefined;
  const lacks = full.map(({ type, missing, free }) => `${missing} ${TYPES[type].name} are missing and ${free} free`);
  const limits = full.map(({ type }) => `${TYPES[type].sqlLimit} ${TYPES[type].name}`).join(' and ');
  const others = full.flatMap((room) => room.others);
  return new RegistrationRefused(
    `namespace ${namespace} has no room for the search attributes: ${lacks.join(', ')}; an SQL store of Temporal's ` +
      `takes ${limits} in a namespace`,
    ownNamespaceOr(namespace, others),
  );
}

/** Returns what helps if other search attributes are in the way. */
export function ownNamespaceOr(namespace: string, inTheWay: readonly string[]): string {
  return (
    'Give builds a namespace of their own (temporal operator namespace create --namespace role-builds, then ' +
    'TEMPORAL_NAMESPACE=role-builds for workers and callers), or remove what nobody uses ' +
    `(temporal operator search-attribute remove --namespace ${quoted(namespace)} --name NAME; ` +
    `there are ${inTheWay.join(', ')}), then run role-build setup again.`
  );
}

/** Temporal Cloud's namespaces end in an account, and have their own command line. https://docs.temporal.io/cloud/namespaces */
const CLOUD_NAMESPACE = /^[a-z][a-z0-9-]*\.[a-z0-9]+$/;

function registrationCommand(namespace: string, missing: SearchAttributesFound['checks']): string {
  const isCloud = CLOUD_NAMESPACE.test(namespace);
  return [
    isCloud
      ? `tcld namespace search-attributes add --namespace ${namespace}`
      : `temporal operator search-attribute create --namespace ${quoted(namespace)}`,
    ...missing.map(({ name, type }) =>
      isCloud ? `--search-attribute ${name}=${TYPES[type].name}` : `--name ${name} --type ${TYPES[type].name}`,
    ),
  ].join(' ');
}
