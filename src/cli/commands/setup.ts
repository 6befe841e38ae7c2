import type { Command } from 'commander';
import { createTables, type TableProtection } from '../../records/create-tables.ts';
import type { IndexSetUp } from '../../records/history-index.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { examples } from '../options.ts';
import type { Services } from '../services.ts';
import {
  addSearchAttributes,
  checkSearchAttributes,
  describeRooms,
  ownNamespaceOr,
  RegistrationRefused,
  untilUsable,
  type SearchAttributesFound,
} from '../temporal/search-attributes.ts';

export function define(command: Command): Command {
  return command
    .description(
      "Creates the two tables, adds the history table's index, and registers the search attributes, each if it is missing. " +
        'Safe to repeat. Builds need 8 search attributes of type Keyword and 1 of type Bool. If the connection is not allowed to ' +
        'register them, as on Temporal Cloud, or if the namespace has no room, it says what to do and ends with exit code 1.',
    )
    .addHelpText('after', examples('role-build setup'));
}

export async function run(context: CommandContext): CommandResult {
  const { output, json } = context;
  const services = await context.services();
  const { client } = services.tables;
  const tables = await services.dynamoDb(() => createTables(client, services.tables));
  const before = await checkSearchAttributes(services);
  const after = await register(services, before);
  const left = after instanceof RegistrationRefused ? after : undefined;
  const { checks, rooms } = after instanceof RegistrationRefused ? before : after;
  const created = before.checks.filter(({ state }) => left === undefined && state === 'missing');
  const isCreated = (name: string) => created.some((one) => one.name === name);
  if (left === undefined) await untilUsable(services, created.length > 0);
  if (json) {
    output.json({
      tables,
      search_attributes: checks.map(({ name, state }) => ({
        name,
        created: isCreated(name),
        ...(state === 'missing' ? { missing: true } : {}),
        ...(state === 'of another type' ? { other_type: true } : {}),
      })),
      search_attribute_types: rooms.map(({ type, needed, missing, free }) => ({ type, needed, missing, free })),
      ...(left === undefined ? {} : { left: { reason: left.message, fix: left.fix, command: left.command } }),
    });
  } else {
    for (const { name, created: isNew, protection, index } of tables) {
      output.line(`table ${name}: ${isNew ? 'created' : 'was there'}; ${describeProtection(protection)}`);
      if (index !== undefined) output.line(`index ${index.name} of ${name}: ${describeIndex(index)}`);
    }
    const words = { registered: 'was there', missing: 'missing', 'of another type': 'has another type' };
    for (const { name, state } of checks) {
      output.line(`search attribute ${name}: ${isCreated(name) ? 'registered' : words[state]}`);
    }
    output.line(describeRooms(rooms));
    if (left?.command !== undefined) output.line(left.command);
  }
  if (left === undefined) return 'done';
  output.error(`role-build: ${left.message}`);
  output.error(left.fix);
  return 'endedOtherwise';
}

/** @returns the search attributes afterwards, or why some are still missing or wrong */
async function register(
  services: Services,
  found: SearchAttributesFound,
): Promise<SearchAttributesFound | RegistrationRefused> {
  const others = found.checks.filter(({ state }) => state === 'of another type');
  if (others.length > 0) {
    const which = others.map(({ name, type }) => `${name} has another type than ${type}`).join(', ');
    const names = others.map(({ name }) => name);
    const { namespace } = services;
    return new RegistrationRefused(`in namespace ${namespace} ${which}`, ownNamespaceOr(namespace, names));
  }
  if (found.checks.every(({ state }) => state === 'registered')) return found;
  return addSearchAttributes(services, found).catch((err: unknown) => {
    if (err instanceof RegistrationRefused) return err;
    throw err;
  });
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
