/** The search attributes as a namespace has them; registers those that are missing, or says who else can. */
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { searchAttributes } from '../contract.ts';
import { GRPC_STATUS, grpcErrorOf } from './grpc.ts';
import {
  isMissing,
  ownNamespaceOr,
  registrationCommand,
  RegistrationRefused,
  roomsOf,
  SQL_LIMITS,
  SQL_STORES,
  whyNoRoom,
  type IndexedValueType,
  type Room,
  type SearchAttributeCheck,
} from './search-attribute-room.ts';
import type { Services } from './services.ts';

/** Servers pick a new search attribute up with a delay. */
const USABLE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;

/**
 * Looks at the search attributes and changes nothing. Where the connection may not list them either, one that a query can name
 * is there, and its type is taken to be right.
 */
export async function checkSearchAttributes(services: Services): Promise<SearchAttributesFound> {
  const { connection, namespace } = services;
  const wanted = Object.values(searchAttributes).map(({ name, type }) => {
    return { name, type, wanted: encodeSearchAttributeIndexedValueType(type) as IndexedValueType };
  });
  let there: Record<string, IndexedValueType>;
  let limits: typeof SQL_LIMITS | undefined;
  try {
    const { customAttributes } = await services.temporal(() =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
    there = customAttributes ?? {};
    limits = await limitsOf(services);
  } catch (err) {
    if (!isRefusal(err)) throw err;
    const known = await Promise.all(wanted.map(({ name }) => canBeQueried(services, name)));
    there = Object.fromEntries(wanted.filter((_, i) => known[i]).map((one) => [one.name, one.wanted]));
  }
  const checks = wanted.map((one) => ({ ...one, found: Object.hasOwn(there, one.name) ? there[one.name] : undefined }));
  return { checks, rooms: roomsOf(checks, there, limits) };
}

export interface SearchAttributesFound {
  checks: SearchAttributeCheck[];
  rooms: Room[];
}

/** What there is once those that were missing are registered. */
export function withAllRegistered({ checks, rooms }: SearchAttributesFound): SearchAttributesFound {
  return {
    checks: checks.map((check) => ({ ...check, found: check.found ?? check.wanted })),
    rooms: rooms.map(({ missing, free, ...room }) => ({
      ...room,
      missing: 0,
      free: free === undefined ? undefined : free - missing,
    })),
  };
}

async function limitsOf({ client, temporal: call }: Services): Promise<typeof SQL_LIMITS | undefined> {
  try {
    const { visibilityStore } = await call(() => client.workflowService.getClusterInfo({}));
    return SQL_STORES.test(visibilityStore ?? '') ? SQL_LIMITS : undefined;
  } catch (err) {
    if (isRefusal(err)) return undefined;
    throw err;
  }
}

/**
 * Registers search attributes that are missing, all or none; {@link untilUsable} says when they can be used.
 *
 * @throws RegistrationRefused
 */
export async function addSearchAttributes(services: Services, { checks, rooms }: SearchAttributesFound): Promise<void> {
  const { connection, namespace } = services;
  const missing = checks.filter(isMissing);
  const types = Object.fromEntries(missing.map(({ name, wanted }) => [name, wanted]));
  try {
    await services.temporal(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: types }),
    );
  } catch (err) {
    const { code, details = (err as Error).message } = grpcErrorOf(err) ?? {};
    // Someone else's setup was faster.
    if (code === GRPC_STATUS.ALREADY_EXISTS) return;
    if (isRefusal(err)) {
      throw new RegistrationRefused(
        `Temporal lets nobody register search attributes here: ${details}`,
        'Have somebody who may run the command above, then run role-build setup again.',
        { command: registrationCommand(namespace, missing), cause: err },
      );
    }
    if (code !== GRPC_STATUS.INVALID_ARGUMENT) throw err;
    const others = rooms.flatMap((room) => room.others);
    throw (
      whyNoRoom(namespace, rooms) ??
      new RegistrationRefused(
        `Temporal does not take the search attributes: ${details}`,
        ownNamespaceOr(namespace, others),
      )
    );
  }
}

/** A start that comes right after must not be refused, so wait until a query can name every attribute. */
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
      const isUnknownStill = grpcErrorOf(err)?.code === GRPC_STATUS.INVALID_ARGUMENT;
      if (!areNew || !isUnknownStill || performance.now() > giveUpAt) throw err;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}

async function canBeQueried({ client, temporal: call }: Services, name: string): Promise<boolean> {
  try {
    await call(() => client.workflow.count(`${name} IS NOT NULL`));
    return true;
  } catch (err) {
    if (grpcErrorOf(err)?.code === GRPC_STATUS.INVALID_ARGUMENT) return false;
    throw err;
  }
}

function isRefusal(err: unknown): boolean {
  const code = grpcErrorOf(err)?.code;
  return code === GRPC_STATUS.PERMISSION_DENIED || code === GRPC_STATUS.UNIMPLEMENTED;
}
