import { createTables, type TableProtection } from '../records/create-tables.ts';
import type { IndexSetUp } from '../records/history-index.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import {
  describeRooms,
  hasOtherType,
  isMissing,
  ownNamespaceOr,
  RegistrationRefused,
} from './search-attribute-room.ts';
import {
  addSearchAttributes,
  checkSearchAttributes,
  untilUsable,
  withAllRegistered,
  type SearchAttributesFound,
} from './search-attributes.ts';
import type { Services } from './services.ts';

interface Registration extends SearchAttributesFound {
  /** Those that were registered now. */
  created: string[];
  /** Why some are not as they must be still, and what has to be done first. */
  left?: RegistrationRefused;
}

/** Creates the tables and registers the search attributes where they are missing; safe to repeat. */
export async function setup(context: CommandContext): CommandResult {
  const services = await context.services();
  const { client } = services.tables;
  const tables = await services.dynamoDb(() => createTables(client, services.tables));
  const { checks, rooms, created, left } = await registerSearchAttributes(services);
  if (left === undefined) await untilUsable(services, created.length > 0);
  const { output, json } = context;
  if (json) {
    output.json({
      tables,
      search_attributes: checks.map((check) => ({
        name: check.name,
        created: created.includes(check.name),
        ...(isMissing(check) ? { missing: true } : {}),
        ...(hasOtherType(check) ? { other_type: true } : {}),
      })),
      search_attribute_types: rooms.map(({ type, needed, missing, free }) => ({ type, needed, missing, free })),
      ...(left === undefined ? {} : { left: { reason: left.message, fix: left.fix, command: left.command } }),
    });
  } else {
    for (const { name, created: isNew, protection, index } of tables) {
      output.line(`table ${name}: ${isNew ? 'created' : 'was there'}; ${describeProtection(protection)}`);
      if (index !== undefined) output.line(`index ${index.name} of ${name}: ${describeIndex(index)}`);
    }
    for (const check of checks) {
      const was = isMissing(check) ? 'missing' : hasOtherType(check) ? 'has another type' : 'was there';
      output.line(`search attribute ${check.name}: ${created.includes(check.name) ? 'registered' : was}`);
    }
    output.line(describeRooms(rooms));
    if (left?.command !== undefined) output.line(left.command);
  }
  if (left === undefined) return 'done';
  output.error(`role-build: ${left.message}`);
  output.error(left.fix);
  return 'endedOtherwise';
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

async function registerSearchAttributes(services: Services): Promise<Registration> {
  const { namespace } = services;
  const found = await checkSearchAttributes(services);
  const { checks } = found;
  const others = checks.filter(hasOtherType);
  if (others.length > 0) {
    const which = others.map(({ name, type }) => `${name} has another type than ${type}`).join(', ');
    const names = others.map(({ name }) => name);
    const left = new RegistrationRefused(`in namespace ${namespace} ${which}`, ownNamespaceOr(namespace, names));
    return { ...found, created: [], left };
  }
  const missing = checks.filter(isMissing);
  if (missing.length === 0) return { ...found, created: [] };
  try {
    await addSearchAttributes(services, found);
  } catch (err) {
    if (!(err instanceof RegistrationRefused)) throw err;
    return { ...found, created: [], left: err };
  }
  return { ...withAllRegistered(found), created: missing.map(({ name }) => name) };
}
