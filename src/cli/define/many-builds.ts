/** The commands about many builds. */
import type { Command } from 'commander';
import type { HistoryOptions } from '../history.ts';
import type { ListOptions } from '../list.ts';
import { command, count, example, filters, type Run } from './options.ts';

export function defineList(program: Command, run: Run): void {
  filters(command(program, 'list', 'list builds, newest first'))
    .description(
      'Lists the builds that Temporal knows, newest first: those that run, and those that ended within its retention. --json ' +
        'prints one build a line. Where there are more than --limit, the command for the next page stands on stderr.',
    )
    .option('--limit <n>', 'at most so many; 0 lists all (default: 30)', count)
    .option('--page-token <token>', 'go on where a page ended')
    .addHelpText(
      'after',
      example(
        'role-build list --account 123456789012 --status FAILED --since 3d',
        'role-build list --limit 0 --json | jq -r .job_id',
        `role-build list --query "CustomRoleName STARTS_WITH 'data-'"`,
      ),
    )
    .action((options: ListOptions) => run(async (context) => (await import('../list.ts')).list(context, options)));
}

export function defineHistory(program: Command, run: Run): void {
  command(program, 'history', "show an account's past requests, newest first")
    .description(
      'Shows the requests of an account, or of one resource in it, from the history table, newest first, with the jobs that a ' +
        'resume took over from. They outlive what Temporal keeps. They are read through an index of the table, which ' +
        '`role-build setup` adds; without it nothing is shown, and the command says so.',
    )
    .argument('<account>', '12 digits')
    .argument('[resource]', "of this resource only, such as 'iam_role#data-reader'")
    .option('--since <time>', 'started since then: 90m, 2h, 3d or an ISO 8601 time')
    .option('--limit <n>', 'at most so many; 0 shows all (default: 30)', count)
    .option('--page-token <token>', 'go on where a page ended')
    .addHelpText('after', example("role-build history 123456789012 'iam_role#data-reader' --since 30d"))
    .action((account: string, resource: string | undefined, options: HistoryOptions) =>
      run(async (context) => (await import('../history.ts')).history(context, account, resource, options)),
    );
}
