import { isGrpcServiceError } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import type { temporal } from '@temporalio/proto';
import { searchAttributes } from '../contract.ts';
import { createTables, type TableProtection } from '../records/create-tables.ts';
import type { IndexSetUp } from '../records/history-index.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { GRPC_STATUS } from './grpc.ts';
import type { Services } from './services.ts';

type IndexedValueType = temporal.api.enums.v1.IndexedValueType;

/** Servers pick a new search attribute up with a delay. */
const USABLE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;

/** Creates the tables and registers the search attributes where they are missing; safe to repeat. */
export async function setup(context: CommandContext): CommandResult {
  const services = await context.services();
  const tables = await services.dynamoDb(() => createTables(services.tables.client, services.tables));
  const registered = await registerSearchAttributes(services);
  await untilUsable(services, registered.length > 0);
  if (context.json) {
    context.output.json({
      tables,
      search_attributes: Object.keys(searchAttributes).map((name) => ({ name, created: registered.includes(name) })),
    });
    return 'done';
  }
  for (const { name, created, protection, index } of tables) {
    context.output.line(`table ${name}: ${created ? 'created' : 'was there'}; ${describeProtection(protection)}`);
    if (index !== undefined) context.output.line(`index ${index.name} of ${name}: ${describeIndex(index)}`);
  }
  for (const name of Object.keys(searchAttributes)) {
    context.output.line(`search attribute ${name}: ${registered.includes(name) ? 'registered' : 'was there'}`);
  }
  return 'done';
}

function describeIndex({ created, status, reason }: IndexSetUp): string {
  if (status === 'MISSING') return `missing, and role-build history needs it (${reason})`;
  const is = created ? 'created' : 'was there';
  return status === 'ACTIVE' ? is : `${is}, and is still being filled; role-build history has to wait for it`;
}

function describeProtection(protection: TableProtection): string {
  const { deletion_protection, point_in_time_recovery, encryption } = protection;
  const state = (isOn: boolean | null) => (isOn === null ? 'not known here' : isOn ? 'on' : 'off');
  return [
    `deletion protection ${state(deletion_protection)}`,
    `point-in-time recovery ${state(point_in_time_recovery)}`,
    `encryption at rest ${encryption === null ? 'not known here' : `by ${encryption}`}`,
  ].join(', ');
}

/** A search attribute as the namespace has it and as it must be. */
export interface SearchAttributeCheck {
  name: string;
  type: string;
  wanted: IndexedValueType;
  /** `undefined` where it is not registered. */
  found: IndexedValueType | undefined;
}

/** Looks at the search attributes and changes nothing. */
export async function checkSearchAttributes(services: Services): Promise<SearchAttributeCheck[]> {
  const { connection, namespace } = services;
  const { customAttributes } = await services.temporal(() =>
    connection.operatorService.listSearchAttributes({ namespace }),
  );
  return Object.values(searchAttributes).map(({ name, type }) => ({
    name,
    type,
    wanted: encodeSearchAttributeIndexedValueType(type) as IndexedValueType,
    found: customAttributes?.[name],
  }));
}

/** Registers search attributes that are missing; {@link untilUsable} says when they can be used. */
export async function addSearchAttributes(services: Services, missing: readonly SearchAttributeCheck[]): Promise<void> {
  const { connection, namespace } = services;
  const types = Object.fromEntries(missing.map(({ name, wanted }) => [name, wanted]));
  try {
    await services.temporal(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: types }),
    );
  } catch (err) {
    // Someone else's setup was faster.
    if (!isGrpcServiceError(err) || (err.code as number) !== GRPC_STATUS.ALREADY_EXISTS) throw err;
  }
}

/** @returns the names that were missing */
async function registerSearchAttributes(services: Services): Promise<string[]> {
  const checks = await checkSearchAttributes(services);
  const other = checks.find(({ found, wanted }) => found !== undefined && found !== wanted);
  if (other !== undefined) {
    throw new CliError(
      'unreachable',
      `search attribute ${other.name} has another type in namespace ${services.namespace} than ${other.type}`,
    );
  }
  const missing = checks.filter(({ found }) => found === undefined);
  if (missing.length > 0) await addSearchAttributes(services, missing);
  return missing.map(({ name }) => name);
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
