import { searchAttributes } from '../contract.ts';
import { createTables, type TableProtection } from '../records/create-tables.ts';
import type { IndexSetUp } from '../records/history-index.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import {
  addSearchAttributes,
  checkSearchAttributes,
  registrationCommand,
  RegistrationRefused,
  untilUsable,
} from './search-attributes.ts';
import type { Services } from './services.ts';

interface Registration {
  /** Those that were registered now. */
  created: string[];
  /** Those that are missing still, since this connection may not register them. */
  left?: { names: string[]; reason: string; command: string };
}

/** Creates the tables and registers the search attributes where they are missing; safe to repeat. */
export async function setup(context: CommandContext): CommandResult {
  const services = await context.services();
  const tables = await services.dynamoDb(() => createTables(services.tables.client, services.tables));
  const { created, left } = await registerSearchAttributes(services);
  if (left === undefined) await untilUsable(services, created.length > 0);
  const names = Object.keys(searchAttributes);
  if (context.json) {
    context.output.json({
      tables,
      search_attributes: names.map((name) => ({
        name,
        created: created.includes(name),
        ...(left?.names.includes(name) === true ? { missing: true } : {}),
      })),
      ...(left === undefined ? {} : { left: { reason: left.reason, command: left.command } }),
    });
  } else {
    for (const { name, created: isNew, protection, index } of tables) {
      context.output.line(`table ${name}: ${isNew ? 'created' : 'was there'}; ${describeProtection(protection)}`);
      if (index !== undefined) context.output.line(`index ${index.name} of ${name}: ${describeIndex(index)}`);
    }
    for (const name of names) {
      const is = left?.names.includes(name) === true ? 'missing' : created.includes(name) ? 'registered' : 'was there';
      context.output.line(`search attribute ${name}: ${is}`);
    }
    if (left !== undefined) context.output.line(left.command);
  }
  if (left === undefined) return 'done';
  context.output.error(`role-build: ${left.reason}`);
  context.output.error('Have somebody who may run the command above, then run role-build setup again.');
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
  const checks = await checkSearchAttributes(services);
  const other = checks.find(({ found, wanted }) => found !== undefined && found !== wanted);
  if (other !== undefined) {
    throw new CliError(
      'unreachable',
      `search attribute ${other.name} has another type in namespace ${services.namespace} than ${other.type}`,
    );
  }
  const missing = checks.filter(({ found }) => found === undefined);
  const names = missing.map(({ name }) => name);
  if (missing.length === 0) return { created: [] };
  try {
    await addSearchAttributes(services, missing);
    return { created: names };
  } catch (err) {
    if (!(err instanceof RegistrationRefused)) throw err;
    const command = registrationCommand(services.namespace, missing);
    return { created: [], left: { names, reason: err.message, command } };
  }
}
