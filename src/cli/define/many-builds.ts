/** The commands about many builds. */
import { Option, type Command } from 'commander';
import type { BatchOptions } from '../batch.ts';
import { BATCH_FORMATS } from '../batch/formats.ts';
import type { HistoryOptions } from '../history.ts';
import type { ListOptions } from '../list.ts';
import { atLeastOne, command, count, example, filters, perSecond, seconds, type Run } from './options.ts';

export function defineBatch(program: Command, run: Run): void {
  command(program, 'batch', 'start many builds, of a file with a line for each')
    .description(
      'Checks every line of a file, and then starts a build for each: NDJSON of inputs as `start --input` takes them, or CSV ' +
        'with a header. One line that is not valid, and nothing is started. The same command given again, after Ctrl-C or a ' +
        'crash, starts only what is missing. What became of each line stands in a report. docs/batch.md says more.',
    )
    .argument('<file>', "a line for each build ('-' = stdin)")
    .addOption(
      new Option('--format <format>', 'of the file (default: by its name; stdin is ndjson)').choices(BATCH_FORMATS),
    )
    .option('--skip-invalid', 'leave lines out that are not valid')
    .option('--rate <n>', 'start at most so many a second (default: as fast as it goes)', perSecond)
    .option('--max-in-flight <n>', 'start no more while so many are running', atLeastOne)
    .option(
      '--failed-from <report>',
      'run again what failed according to the report of an earlier run, and nothing else',
    )
    .option(
      '--report <file>',
      'what became of each line, as NDJSON: a new file or an earlier report (default: a new name, which is printed)',
    )
    .option('--url <url>', 'where the build API is, for lines that do not say')
    .option(
      '--encrypted-jwt-file <file>',
      "file with the caller's encrypted credential ('-' = stdin; default: the line's own, else the variable ENCRYPTED_JWT)",
    )
    .option('--deadline-seconds <n>', 'for lines that do not say: give the build up so long after its start', seconds)
    .option('--poll-interval-seconds <n>', 'for lines that do not say (default: 60)', seconds)
    .option('--poll-spread-seconds <n>', 'for lines that do not say (default: 5)', seconds)
    .option('--requested-by <who>', 'for lines that do not say (default: user@host)')
    .option('--take-over', 'replace records that are IN_PROGRESS under an execution of Step Functions')
    .option('--wait', 'follow the builds to their ends')
    .addHelpText(
      'after',
      example(
        'role-build batch roles.csv --url https://builds.example.com --rate 10 --max-in-flight 200 --wait',
        'role-build batch roles.csv --url https://builds.example.com --failed-from report.ndjson',
      ),
    )
    .action((file: string, options: BatchOptions) =>
      run(async (context) => (await import('../batch.ts')).batch(context, file, options)),
    );
}

export function defineList(program: Command, run: Run): void {
  filters(command(program, 'list', 'list builds: those that run, then those that ended last'))
    .description(
      'Lists the builds that Temporal knows: those that run, the newest first, then those that ended within its retention, ' +
        'the last to end first. --json ' +
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
