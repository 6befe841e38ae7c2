import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Environment } from '../config.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import type { DoctorOptions } from './doctor.ts';
import { CliError } from './errors.ts';
import { EXIT_CODES, type ExitReason } from './exit-codes.ts';
import { createOutput, printable, type Output } from './output.ts';
import type { ResumeOptions } from './resume.ts';
import type { StartOptions } from './start.ts';
import type { Services } from './services.ts';
import type { TargetOptions } from './target.ts';

export interface CliStreams {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
}

type Run = (command: (context: CommandContext) => CommandResult) => Promise<void>;

/**
 * Runs one command.
 *
 * @param args the arguments after the program's name
 * @param signal aborted when the user interrupts
 * @returns the exit code
 */
export async function runCli(
  args: readonly string[],
  env: Environment,
  streams: CliStreams,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(streams);
  let reason: ExitReason = 'done';
  const program = buildProgram(async (run) => {
    reason = await runCommand(run, { env, stdin: streams.stdin, output, signal, json: args.includes('--json') });
  }, streams);
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT_CODES[reason].code;
  } catch (err) {
    return await report(err, output, args.includes('--json'), signal);
  }
}

async function runCommand(
  run: (context: CommandContext) => CommandResult,
  given: Omit<CommandContext, 'services'>,
): Promise<ExitReason> {
  let services: Services | undefined;
  try {
    return await run({
      ...given,
      services: async () => (services ??= await (await import('./services.ts')).openServices(given.env)),
    });
  } finally {
    await services?.close();
  }
}

async function report(err: unknown, output: Output, json: boolean, signal: AbortSignal): Promise<number> {
  if (signal.aborted) {
    output.note('interrupted; the build goes on');
    return EXIT_CODES.interrupted.code;
  }
  if (err instanceof CommanderError) return err.exitCode === 0 ? EXIT_CODES.done.code : EXIT_CODES.usage.code;
  const failure = await toCliError(err);
  output.note(`role-build: ${failure.message}`);
  if (json) output.json({ error: failure.reason, message: failure.message, ...failure.fields });
  return failure.exitCode;
}

async function toCliError(err: unknown): Promise<CliError> {
  if (err instanceof CliError) return err;
  const { SettingsError } = await import('../config.ts');
  if (err instanceof SettingsError) return new CliError('usage', err.message);
  const { PayloadUnreadableError } = await import('../encryption/unreadable.ts');
  if (err instanceof PayloadUnreadableError) {
    const hint = 'Give the command the keys that the workers have (ENCRYPTION_…)';
    return new CliError('usage', `what Temporal keeps of the build can't be read: ${err.message}. ${hint}`, {
      cause: err,
    });
  }
  return new CliError('unreachable', (err as Error).message, { cause: err });
}

function buildProgram(run: Run, streams: CliStreams): Command {
  const program = new Command('role-build')
    .description('Starts and follows IAM role builds.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(printable(withoutValues(text))),
    })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for more)')
    .addHelpText('after', `\n${exitCodesHelp()}`);

  command(program, 'setup', 'create the tables and register the search attributes where they are missing')
    .addHelpText('after', example('role-build setup'))
    .action(() => run(async (context) => (await import('./setup.ts')).setup(context)));

  command(program, 'start', 'start a build')
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
      ),
    )
    .action((options: StartOptions) => run(async (context) => (await import('./start.ts')).start(context, options)));

  targetCommand(program, 'status', 'show one build')
    .addHelpText('after', example("role-build status 123456789012 'iam_role#data-reader'"))
    .action((account: string | undefined, resource: string | undefined, options: TargetOptions) =>
      run(async (context) => (await import('./status.ts')).status(context, account, resource, options)),
    );

  targetCommand(program, 'watch', 'follow one build to its end')
    .addHelpText('after', example("role-build watch 123456789012 'iam_role#data-reader' --json"))
    .action((account: string | undefined, resource: string | undefined, options: TargetOptions) =>
      run(async (context) => (await import('./watch.ts')).watch(context, account, resource, options)),
    );

  targetCommand(program, 'cancel', 'ask a running build to stop; the build API has no cancel, so it may go on there')
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', example("role-build cancel 123456789012 'iam_role#data-reader' --wait"))
    .action((account: string | undefined, resource: string | undefined, options: TargetOptions & { wait?: boolean }) =>
      run(async (context) => (await import('./cancel.ts')).cancel(context, account, resource, options)),
    );

  targetCommand(program, 'resume', 'go on with a build that was given up before the build API had decided it')
    .option('--url <url>', 'where the build API is (default: as before)')
    .option(
      '--encrypted-jwt-file <file>',
      "file with a fresh credential ('-' = stdin; default: the variable ENCRYPTED_JWT, else as before)",
    )
    .option('--deadline-seconds <n>', 'give it up so long after this start (default: as long as before)', seconds)
    .option('--input <file>', "the request's input as JSON, where Temporal no longer has it ('-' = stdin)")
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', example("role-build resume 123456789012 'iam_role#data-reader' --wait"))
    .action((account: string | undefined, resource: string | undefined, options: ResumeOptions) =>
      run(async (context) => (await import('./resume.ts')).resume(context, account, resource, options)),
    );

  command(program, 'doctor', 'compare both tables with Temporal, list what is not right, and mend it')
    .option('--fix', 'mend what is safe to mend; asks before each')
    .option('--yes', 'with --fix: mend without asking')
    .option('--ask-api', 'ask the build API what became of builds that Temporal lost')
    .option('--url <url>', 'with --ask-api: where the build API is')
    .option(
      '--encrypted-jwt-file <file>',
      "with --ask-api: file with your encrypted credential ('-' = stdin; default: the variable ENCRYPTED_JWT)",
    )
    .addHelpText('after', example('role-build doctor --fix'))
    .action((options: DoctorOptions) => run(async (context) => (await import('./doctor.ts')).doctor(context, options)));

  return program;
}

function command(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(new Option('--json', 'print JSON, with the field names of the records'));
}

function targetCommand(program: Command, name: string, description: string): Command {
  return command(program, name, description)
    .argument('[account]', '12 digits')
    .argument('[resource]', "sort key of the status record, such as 'iam_role#data-reader'")
    .option('--correlation-id <id>', 'name the build by its request')
    .option('--job-id <id>', 'name it by its job')
    .option('--workflow-id <id>', 'name it by its workflow');
}

/** A complaint about an option or an argument repeats what was given, which may be a credential. */
function withoutValues(text: string): string {
  return text
    .replace(/(unknown option '--?[^'=\s]*)=[\s\S]*?'(?=\n|$)/, "$1=…'")
    .replace(/(too many arguments .* but got \d+): [\s\S]*/, '$1.\n');
}

function seconds(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(value);
}

function example(text: string): string {
  return `\nExample:\n  ${text}`;
}

function exitCodesHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`);
  return `Exit codes:\n${lines.join('\n')}`;
}
