/** The commands about one build. */
import type { Command } from 'commander';
import type { OpenOptions } from '../open.ts';
import type { ResumeOptions } from '../resume.ts';
import type { StartOptions } from '../start.ts';
import type { TargetOptions } from '../target.ts';
import type { WatchOptions } from '../watch.ts';
import { command, count, example, filters, namesOneBuild, seconds, targetCommand, type Run } from './options.ts';

type Named = string | undefined;

export function defineStart(program: Command, run: Run): void {
  command(program, 'start', 'start a build')
    .description(
      'Checks the input and starts a build. While one runs for the same account and resource, another is refused and the one ' +
        'that runs is named; one whose role is the same but for case, which to IAM is one role, is named too. The credential comes from the input, a file or the variable ENCRYPTED_JWT, never from an argument.',
    )
    .option('--input <file>', "the whole input as JSON, as the state machine takes it ('-' = stdin)")
    .option('--account <id>', 'account to build the role in: 12 digits')
    .option('--role <name>', "the role's name")
    .option('--action <action>', 'what to do (default: create)')
    .option('--build-type <type>', 'what to build (default: iam_role)')
    .option('--dry-run', 'let the build API check only')
    .option('--url <url>', 'where the build API is')
    .option('--resource <key>', "sort key of the status record (default: '{build type}#{role}')")
    .option('--correlation-id <id>', "the request's ID (default: a new UUID)")
    .option('--trace-header <header>', 'AWS X-Ray trace header (default: a new one)')
    .option(
      '--encrypted-jwt-file <file>',
      "file with the caller's encrypted credential ('-' = stdin; default: the variable ENCRYPTED_JWT)",
    )
    .option('--deadline-seconds <n>', 'give the build up so long after its start (default: never)', seconds)
    .option('--poll-interval-seconds <n>', 'from the end of one poll to the next (default: 60)', seconds)
    .option('--poll-spread-seconds <n>', 'up to so much longer before the first poll (default: 0)', seconds)
    .option('--requested-by <who>', 'kept in the history (default: user@host)')
    .option('--take-over', 'replace records that are IN_PROGRESS under an execution of Step Functions')
    .option('--attach', 'join the build that is in progress for the resource, if its build_body is equal')
    .option('--wait', 'follow the build to its end')
    .addHelpText(
      'after',
      example(
        'ENCRYPTED_JWT="$(cat credential)" role-build start --account 123456789012 --role data-reader --url https://builds.example.com --wait',
        'role-build start --input - < input.json',
      ),
    )
    .action((options: StartOptions) => run(async (context) => (await import('../start.ts')).start(context, options)));
}

export function defineStatus(program: Command, run: Run): void {
  targetCommand(program, 'status', 'show one build')
    .description(
      'Shows one build: its record, the steps so far with their attempts and times, the last answer, the next poll; of a failure ' +
        'the cause and whose move it is; and the command to type next. A running workflow outranks the record. Exit code 0 ' +
        'whenever the build is found, however it ended.',
    )
    .addHelpText(
      'after',
      example("role-build status 123456789012 'iam_role#data-reader'", 'role-build status --correlation-id ID --json'),
    )
    .action((account: Named, resource: Named, options: TargetOptions) =>
      run(async (context) => (await import('../status.ts')).status(context, account, resource, options)),
    );
}

export function defineWatch(program: Command, run: Run): void {
  filters(namesOneBuild(command(program, 'watch', 'follow one build, or all that match, to the end')))
    .description(
      'Follows one build to its end, or every running build that matches, those that start meanwhile too, until none runs. ' +
        'Redrawn in place on a terminal, a line a change otherwise, with --json a document a change. Ctrl-C leaves the builds running.',
    )
    .option('--limit <n>', 'of many builds, follow the newest so many at a time (default: 50)', count)
    .addHelpText(
      'after',
      example(
        "role-build watch 123456789012 'iam_role#data-reader' --json",
        'role-build watch --status IN_PROGRESS --since 2h',
      ),
    )
    .action((account: Named, resource: Named, options: WatchOptions) =>
      run(async (context) => (await import('../watch.ts')).watch(context, account, resource, options)),
    );
}

export function defineCancel(program: Command, run: Run): void {
  targetCommand(program, 'cancel', 'ask a running build to stop; the build API has no cancel, so it may go on there')
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', example("role-build cancel 123456789012 'iam_role#data-reader' --wait"))
    .action((account: Named, resource: Named, options: TargetOptions & { wait?: boolean }) =>
      run(async (context) => (await import('../cancel.ts')).cancel(context, account, resource, options)),
    );
}

export function defineResume(program: Command, run: Run): void {
  targetCommand(program, 'resume', 'go on with a build that was given up before the build API had decided it')
    .option(
      '--url <url>',
      'where the build API is (default: as before; a fresh credential goes there only if this or you say so)',
    )
    .option(
      '--encrypted-jwt-file <file>',
      "file with a fresh credential ('-' = stdin; default: the variable ENCRYPTED_JWT, else as before)",
    )
    .option('--deadline-seconds <n>', 'give it up so long after this start (default: as long as before)', seconds)
    .option('--input <file>', "the request's input as JSON, where Temporal no longer has it ('-' = stdin)")
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', example("role-build resume 123456789012 'iam_role#data-reader' --wait"))
    .action((account: Named, resource: Named, options: ResumeOptions) =>
      run(async (context) => (await import('../resume.ts')).resume(context, account, resource, options)),
    );
}

export function defineOpen(program: Command, run: Run): void {
  targetCommand(program, 'open', "print the build's page in Temporal's Web UI, and open it on a desktop")
    .description(
      "Prints the address of the build's page in Temporal's Web UI, which the setting TEMPORAL_UI_URL says where to find. On a " +
        'terminal it is opened too: with the command in the variable BROWSER, else with the program of the desktop, if there is one. ' +
        'BROWSER may list several commands, parted by colons, with options and with %s where the address goes.',
    )
    .option('--print', 'print it only')
    .addHelpText('after', example("role-build open 123456789012 'iam_role#data-reader'"))
    .action((account: Named, resource: Named, options: OpenOptions) =>
      run(async (context) => (await import('../open.ts')).open(context, account, resource, options)),
    );
}
