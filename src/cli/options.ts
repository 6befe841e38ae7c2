/** Definitions that several commands share. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { quoted } from './build/next-step.ts';
import { LISTED_STATUSES } from './temporal/queries.ts';

export function namesOneBuild(command: Command): Command {
  return command
    .argument('[account]', '12 digits')
    .argument('[resource]', "sort key of the status record, such as 'iam_role#data-reader'")
    .option('--correlation-id <id>', 'find the build by the ID of its request')
    .option('--job-id <id>', 'find it by its job ID')
    .option('--workflow-id <id>', 'find it by its workflow ID');
}

/** Adds filters for many builds, which Temporal's visibility applies. */
export function filters(command: Command): Command {
  return command
    .option('--account <id>', 'builds in this account')
    .option('--role <name>', 'builds of this role')
    .option('--action <action>', 'builds with this action, such as create')
    .addOption(new Option('--status <status>', 'builds with this status').choices(LISTED_STATUSES))
    .option(
      '--since <time>',
      'builds that started, or continued as new, at or after this time: 90m, 2h or 3d ago, or an ISO 8601 time',
    )
    .option('--dry-run', 'only dry runs')
    .option('--query <query>', 'only builds that also match this list filter of Temporal');
}

export function pages(command: Command): Command {
  return command
    .option('--limit <n>', 'show at most this many; 0 shows all (default: 30)', wholeNumber)
    .option('--page-token <token>', 'show the page after the one that printed this token');
}

export interface PageOptions {
  limit?: number;
  pageToken?: string;
}

/** Returns how many builds are wanted at most; 0 stands for all. */
export function limitOf({ limit }: { limit?: number }, byDefault = 30): number {
  if (limit === undefined) return byDefault;
  return limit === 0 ? Number.POSITIVE_INFINITY : limit;
}

/** Returns a note with the command for the next page, made of what the user typed. */
export function nextPage(command: string, words: readonly string[], options: object, token: string): string {
  const flags = Object.entries<unknown>({ ...options, pageToken: token })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (value === true ? flagOf(name) : `${flagOf(name)} ${quoted(String(value))}`));
  return `more: ${['role-build', command, ...words.map(quoted), ...flags].join(' ')}`;
}

/** Returns the flag of an option by commander's name for it. */
export function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Makes a parser for an option's value. @param what the value must be */
export function numberLike(pattern: RegExp, what: string): (value: string) => number {
  return (value) => {
    if (!pattern.test(value)) throw new InvalidArgumentError(`It must be ${what}.`);
    return Number(value);
  };
}

export const wholeNumber = numberLike(/^\d{1,9}$/, 'a whole number');
export const seconds = numberLike(/^\d+$/, 'a whole number of seconds');

export function examples(...lines: string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
