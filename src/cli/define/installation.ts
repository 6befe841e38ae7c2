/** The commands about what is set up, where and how. */
import { Argument, type Command } from 'commander';
import { COMPLETION_SHELLS, type CompletionShell } from '../completion-shells.ts';
import type { DoctorOptions } from '../doctor.ts';
import { command, example, type Run } from './options.ts';

export function defineSetup(program: Command, run: Run): void {
  command(program, 'setup', 'create the tables and register the search attributes where they are missing')
    .description(
      "Creates the two tables, adds the history table's index, and registers the search attributes, each where it is missing. " +
        'Safe to repeat. Builds need 8 Keywords and 1 Bool. Where the connection may not register them, as on Temporal Cloud, or ' +
        'the namespace has no room, it says what to do, if there is one the command, and ends with exit code 1.',
    )
    .addHelpText('after', example('role-build setup'))
    .action(() => run(async (context) => (await import('../setup.ts')).setup(context)));
}

export function defineDoctor(program: Command, run: Run): void {
  command(program, 'doctor', 'compare both tables with Temporal, list what is not right, and mend it')
    .description(
      'Compares both tables with Temporal, and lists what is not right, each with the reason and the fix. With --fix it mends what ' +
        'is safe to mend, by conditional writes, and asks before each. Exit code 1 where findings are left.',
    )
    .option('--fix', 'mend what is safe to mend; asks before each')
    .option('--yes', 'with --fix: mend without asking, but for what is in doubt, which is left alone')
    .option('--ask-api', 'ask the build API what became of builds that Temporal lost')
    .option('--url <url>', 'with --ask-api: where the build API is')
    .option(
      '--encrypted-jwt-file <file>',
      "with --ask-api: file with your encrypted credential ('-' = stdin; default: the variable ENCRYPTED_JWT)",
    )
    .addHelpText('after', example('role-build doctor', 'role-build doctor --fix'))
    .action((options: DoctorOptions) =>
      run(async (context) => (await import('../doctor.ts')).doctor(context, options)),
    );
}

export function defineConfig(program: Command, run: Run): void {
  command(program, 'config', 'show each setting in force and where it comes from')
    .description(
      'Shows each setting in force and where it comes from: the environment, a temporal.toml, or the default. Secrets are ' +
        'hidden. Asks no service. Exit code 2 where a setting is wrong.',
    )
    .addHelpText('after', example('role-build config', 'role-build config --json'))
    .action(() => run(async (context) => (await import('../show-config.ts')).showConfig(context)));
}

export function defineCompletion(program: Command, run: Run): void {
  command(program, 'completion', "print a shell's completion script")
    .description("Prints a script that teaches a shell the program's commands and options.")
    .addArgument(new Argument('<shell>', 'which one').choices(COMPLETION_SHELLS))
    .addHelpText(
      'after',
      example(
        'source <(role-build completion bash)',
        'source <(role-build completion zsh)',
        'role-build completion fish | source',
      ),
    )
    .action((shell: CompletionShell) =>
      run(async (context) => (await import('../completion.ts')).completion(context, program, shell)),
    );
  // What the scripts ask with each Tab.
  program
    .command('complete', { hidden: true })
    .argument('[args...]')
    .action((args: string[]) => run(async () => (await import('../completion.ts')).complete(program, args)));
}
