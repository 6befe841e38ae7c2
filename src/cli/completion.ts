/** Shell completion, of the commands and options as they are defined. */
import { readdirSync, type Dirent } from 'node:fs';
import { dirname, join } from 'node:path';
import tab from '@bomb.sh/tab/commander';
import type { RootCommand } from '@bomb.sh/tab';
import { Command } from 'commander';
import type { CommandContext, CommandResult } from './commands.ts';
import { bashCompletion } from './completion-bash.ts';
import type { CompletionShell } from './completion-shells.ts';
import { zshCompletion } from './completion-zsh.ts';

/** Prints the script that the shell reads. */
export async function completion(
  { output, json }: CommandContext,
  program: Command,
  shell: CompletionShell,
): CommandResult {
  const name = program.name();
  const scripts: Record<CompletionShell, () => string> = {
    bash: () => bashCompletion(name),
    zsh: () => zshCompletion(name),
    fish: () => printedBy(() => completionsOf(program, '').setup(name, name, 'fish')),
  };
  const script = scripts[shell]();
  if (json) output.json({ shell, script });
  else output.script(script);
  return 'done';
}

/** Answers a script's question: what may stand in place of the last of these arguments. */
export async function complete(program: Command, args: readonly string[]): CommandResult {
  completionsOf(program, args.at(-1) ?? '').parse([...args]);
  return 'done';
}

/** The library adds commands of its own to the program that it is given; so it gets another one. */
function completionsOf(program: Command, typed: string): RootCommand {
  const copy = new Command(program.name());
  for (const command of program.commands.filter((one) => one.name() !== 'complete')) copy.addCommand(command);
  const root = tab(copy, { completionCommandName: 'completion-script' });
  root.commands.delete('completion-script');
  for (const command of copy.commands) {
    const known = root.commands.get(command.name());
    if (known === undefined) continue;
    known.description = command.summary() || command.description();
    for (const option of command.options.filter(({ flags }) => flags.endsWith('<file>'))) {
      const own = known.options.get(option.long?.slice(2) ?? '');
      if (own !== undefined) own.handler = (offer) => files(typed).forEach((file) => offer(file, ''));
    }
    for (const argument of command.registeredArguments.filter((one) => one.name() === 'file')) {
      const own = known.arguments.get(argument.name());
      if (own !== undefined) own.handler = (offer) => files(typed).forEach((file) => offer(file, ''));
    }
  }
  return root;
}

/** The scripts leave a shell's own completion of file names out. */
function files(typed: string): string[] {
  const text = typed.slice(typed.indexOf('=') + 1);
  const folder = text.endsWith('/') ? text : dirname(text);
  let found: Dirent[];
  try {
    found = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return found.map(
    (entry) => `${text.includes('/') ? join(folder, entry.name) : entry.name}${entry.isDirectory() ? '/' : ''}`,
  );
}

/** The library prints to the console alone. */
function printedBy(print: () => void): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    print();
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}
