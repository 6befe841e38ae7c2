/** The search attributes as a namespace has them; registers those that are missing, or says who else can. */
import { isGrpcServiceError, type ServiceError } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import type { temporal } from '@temporalio/proto';
import { searchAttributes } from '../contract.ts';
import { CliError } from './errors.ts';
import { GRPC_STATUS } from './grpc.ts';
import { quoted } from './next-move.ts';
import type { Services } from './services.ts';

type IndexedValueType = temporal.api.enums.v1.IndexedValueType;

/** Servers pick a new search attribute up with a delay. */
const USABLE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;

/** A search attribute as the namespace has it and as it must be. */
export interface SearchAttributeCheck {
  name: string;
  type: string;
  wanted: IndexedValueType;
  /** `undefined` where it is not registered. */
  found: IndexedValueType | undefined;
}

/** This connection may not register search attributes: Temporal Cloud's, or one without an operator's rights. */
export class RegistrationRefused extends CliError {
  override name = 'RegistrationRefused';
}

/**
 * Looks at the search attributes and changes nothing. Where the connection may not list them either, one that a query can name
 * is there, and its type is taken to be right.
 */
export async function checkSearchAttributes(services: Services): Promise<SearchAttributeCheck[]> {
  const { connection, namespace } = services;
  let isFound: (name: string, wanted: IndexedValueType) => Promise<IndexedValueType | undefined>;
  try {
    const { customAttributes } = await services.temporal(() =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
    isFound = (name) => Promise.resolve(customAttributes?.[name]);
  } catch (err) {
    if (!isRefusal(err)) throw err;
    isFound = async (name, wanted) => ((await canBeQueried(services, name)) ? wanted : undefined);
  }
  return Promise.all(
    Object.values(searchAttributes).map(async ({ name, type }) => {
      const wanted = encodeSearchAttributeIndexedValueType(type) as IndexedValueType;
      return { name, type, wanted, found: await isFound(name, wanted) };
    }),
  );
}

/**
 * Registers search attributes that are missing; {@link untilUsable} says when they can be used.
 *
 * @throws RegistrationRefused
 */
export async function addSearchAttributes(services: Services, missing: readonly SearchAttributeCheck[]): Promise<void> {
  const { connection, namespace } = services;
  const types = Object.fromEntries(missing.map(({ name, wanted }) => [name, wanted]));
  try {
    await services.temporal(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: types }),
    );
  } catch (err) {
    if (isRefusal(err)) {
      throw new RegistrationRefused(
        'unreachable',
        `Temporal lets nobody register search attributes here: ${detailsOf(err)}`,
        {
          cause: err,
          hint: 'role-build setup prints the command that does it',
        },
      );
    }
    // Someone else's setup was faster.
    if (codeOf(err) !== GRPC_STATUS.ALREADY_EXISTS) throw err;
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
      if (!areNew || performance.now() > giveUpAt || (err instanceof CliError && err.reason !== 'unreachable'))
        throw err;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}

/** A namespace of Temporal Cloud is named with its account. https://docs.temporal.io/cloud/namespaces */
const CLOUD_NAMESPACE = /^[a-z][a-z0-9-]*\.[a-z0-9]+$/;

/**
 * The command that somebody who may do so registers them with: Temporal Cloud's own command line for its namespaces,
 * `temporal` for any other.
 */
export function registrationCommand(namespace: string, missing: readonly SearchAttributeCheck[]): string {
  const named = missing.map(({ name, type }) => ({ name, type: `${type[0]}${type.slice(1).toLowerCase()}` }));
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

async function canBeQueried({ client, temporal: call }: Services, name: string): Promise<boolean> {
  try {
    await call(() => client.workflow.count(`${name} IS NOT NULL`));
    return true;
  } catch (err) {
    if (codeOf(err) === GRPC_STATUS.INVALID_ARGUMENT) return false;
    throw err;
  }
}

function isRefusal(err: unknown): boolean {
  const code = codeOf(err);
  return code === GRPC_STATUS.PERMISSION_DENIED || code === GRPC_STATUS.UNIMPLEMENTED;
}

/** The gRPC status behind whatever a call of Temporal failed with. */
function codeOf(err: unknown): number | undefined {
  return grpcOf(err)?.code;
}

function detailsOf(err: unknown): string {
  return grpcOf(err)?.details ?? (err as Error).message;
}

function grpcOf(err: unknown): { code: number; details: string } | undefined {
  if (isGrpcServiceError(err)) return err;
  const { cause } = err as CliError | ServiceError;
  return cause === undefined ? undefined : grpcOf(cause);
}
