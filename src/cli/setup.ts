import { isGrpcServiceError } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import type { temporal } from '@temporalio/proto';
import { searchAttributes } from '../contract.ts';
import { createTables, type TableProtection } from '../records/create-tables.ts';
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
  for (const { name, created, protection } of tables) {
    context.output.line(`table ${name}: ${created ? 'created' : 'was there'}; ${describeProtection(protection)}`);
  }
  for (const name of Object.keys(searchAttributes)) {
    context.output.line(`search attribute ${name}: ${registered.includes(name) ? 'registered' : 'was there'}`);
  }
  return 'done';
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

/** @returns the names that were missing */
async function registerSearchAttributes(services: Services): Promise<string[]> {
  const { connection, namespace } = services;
  const { customAttributes } = await services.temporal(() =>
    connection.operatorService.listSearchAttributes({ namespace }),
  );
  const missing: Record<string, IndexedValueType> = {};
  for (const { name, type } of Object.values(searchAttributes)) {
    const wanted = encodeSearchAttributeIndexedValueType(type) as IndexedValueType;
    const found = customAttributes?.[name];
    if (found === undefined) missing[name] = wanted;
    else if (found !== wanted) {
      throw new CliError(
        'unreachable',
        `search attribute ${name} has another type in namespace ${namespace} than ${type}`,
      );
    }
  }
  const names = Object.keys(missing);
  if (names.length === 0) return names;
  try {
    await services.temporal(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: missing }),
    );
  } catch (err) {
    // Someone else's setup was faster.
    if (!isGrpcServiceError(err) || (err.code as number) !== GRPC_STATUS.ALREADY_EXISTS) throw err;
  }
  return names;
}

/** A start that comes right after must not be refused, so wait until a query can name every attribute. */
async function untilUsable({ client, temporal: call }: Services, areNew: boolean): Promise<void> {
  const query = Object.values(searchAttributes)
    .map(({ name }) => `${name} IS NOT NULL`)
    .join(' AND ');
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
