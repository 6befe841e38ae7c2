/** What the definitions of several commands share. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { CommandContext, CommandResult } from '../commands.ts';
import { LISTED_STATUSES } from '../statuses.ts';

/** Runs a command's function with what every command gets. */
export type Run = (command: (context: CommandContext) => CommandResult) => Promise<void>;

/** @param summary one line, for the list of commands */
export function command(program: Command, name: string, summary: string): Command {
  return program
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .addOption(new Option('--json', 'print JSON, with the field names of the records'))
    .addOption(new Option('-q, --quiet', 'print the result and failures only'));
}

/** A command about one build. */
export function targetCommand(program: Command, name: string, summary: string): Command {
  return namesOneBuild(command(program, name, summary));
}

export function namesOneBuild(one: Command): Command {
  return one
    .argument('[account]', '12 digits')
    .argument('[resource]', "sort key of the status record, such as 'iam_role#data-reader'")
    .option('--correlation-id <id>', 'name the build by its request')
    .option('--job-id <id>', 'name it by its job')
    .option('--workflow-id <id>', 'name it by its workflow');
}

/** Which of many builds, as Temporal's visibility knows them. */
export function filters(many: Command): Command {
  return many
    .option('--account <id>', 'builds in this account')
    .option('--role <name>', 'of this role')
    .option('--action <action>', 'that do this, such as create')
    .addOption(new Option('--status <status>', 'of this status').choices(LISTED_STATUSES))
    .option('--since <time>', 'started since then: 90m, 2h, 3d or an ISO 8601 time')
    .option('--dry-run', 'dry runs only')
    .option('--query <query>', "for which this holds too, in the words of Temporal's visibility");
}

export function seconds(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(value);
}

export function count(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

export function atLeastOne(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return Number(value);
}

export function perSecond(value: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(value) || Number(value) === 0) {
    throw new InvalidArgumentError('It must be a number above 0.');
  }
  return Number(value);
}

export function example(...texts: string[]): string {
  return `\nExample:\n${texts.map((text) => `  ${text}`).join('\n')}`;
}
