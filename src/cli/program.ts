/** The table of commands. A command's file is loaded only if its name is an argument, so `--help` loads none. */
import { Command, Option } from 'commander';
import type { CommandContext, CommandResult } from './context.ts';
import { EXIT_CODES } from './errors/exit-codes.ts';
import { version } from './version.ts';

export interface CommandModule {
  define(command: Command): unknown;
  /** @param options as commander parses them */
  run(context: CommandContext, options: never, command: Command): CommandResult;
}

/** Runs a command with the context that every command gets. @param args the command's arguments */
export type Execute = (args: readonly string[], run: (context: CommandContext) => CommandResult) => Promise<void>;

/** Commands by name and arguments, in the order of `--help`, each with a summary and a function that loads its file. */
const COMMANDS: Readonly<Record<string, [summary: string, load: () => Promise<CommandModule>]>> = {
  setup: [
    'create the tables and register the search attributes, each if it is missing',
    () => import('./commands/setup.ts'),
  ],
  start: ['start a build', () => import('./commands/start.ts')],
  'batch <file>': ['start many builds from a file with a line for each', () => import('./commands/batch.ts')],
  'status [account] [resource]': ['show one build', () => import('./commands/status.ts')],
  'watch [account] [resource]': [
    'follow one build, or all that match, to their end',
    () => import('./commands/watch.ts'),
  ],
  'cancel [account] [resource]': [
    'cancel a running build; the build API has no cancel, so the build may go on there',
    () => import('./commands/cancel.ts'),
  ],
  'resume [account] [resource]': [
    'continue a build that was given up before the build API had finished it',
    () => import('./commands/resume.ts'),
  ],
  list: ['list builds: first those that run, then those that ended last', () => import('./commands/list.ts')],
  'history <account> [resource]': [
    "show an account's past requests, newest first",
    () => import('./commands/history.ts'),
  ],
  'open [account] [resource]': [
    "print the build's page in Temporal's Web UI, and open it on a desktop",
    () => import('./commands/open.ts'),
  ],
  doctor: [
    'compare both tables with Temporal, list the differences, and repair them',
    () => import('./commands/doctor.ts'),
  ],
  config: ['show each setting in force and where it comes from', () => import('./commands/config.ts')],
  'completion <shell>': ["print a shell's completion script", () => import('./commands/completion.ts')],
  // Called by completion scripts, not by people.
  'complete [args...]': ['answer a completion script', () => import('./commands/complete.ts')],
};

/**
 * @param args the arguments of this run. The commands that they name are defined in full; the others get only a name
 *   and a summary. `undefined` defines all in full
 */
export async function defineProgram(args?: readonly string[], execute: Execute = async () => {}): Promise<Command> {
  const terms = new Map<string, string>();
  const program = new Command('role-build')
    .description('Starts and follows IAM role builds.')
    .version(
      args?.includes('--json') ? JSON.stringify({ version: version() }) : version(),
      '-V, --version',
      'print the version',
    )
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for more)')
    .configureHelp({ subcommandTerm: (command) => terms.get(command.name()) ?? 'help [command]' })
    .addHelpText('after', `\n${exitCodesHelp()}`);
  for (const [term, [summary, load]] of Object.entries(COMMANDS)) {
    const [name = ''] = term.split(' ');
    terms.set(name, term);
    const command = program
      .command(name, { hidden: name === 'complete' })
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .addOption(new Option('--json', 'print JSON, with the field names of the records'))
      .addOption(new Option('-q, --quiet', 'print the result and failures only'));
    if (args?.includes(name) === false) continue;
    const { define, run } = await load();
    define(command);
    command.action(() => execute(command.args, (context) => run(context, command.opts(), command)));
  }
  return program;
}

/** If the meaning of an exit code is longer, each command that it names gets its own line. */
const LINE_CHARACTERS = 80;

function exitCodesHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => {
    const shown = meaning.length < LINE_CHARACTERS ? meaning : meaning.replaceAll(/; (?=\w+: )/g, ';\n       ');
    return `  ${String(code).padStart(3)}  ${shown}`;
  });
  return `Exit codes:\n${lines.join('\n')}`;
}
