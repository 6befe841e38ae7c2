import { readdirSync, type Dirent } from 'node:fs';
import { dirname, join } from 'node:path';
import tab from '@bomb.sh/tab/commander';
import type { RootCommand } from '@bomb.sh/tab';
import { Command } from 'commander';
import type { CommandContext, CommandResult } from '../context.ts';

export function define(command: Command): Command {
  return command.argument('[args...]');
}

/** Answers a completion script: offers values for the last of the arguments. */
export async function run({ args }: CommandContext, _: object, { parent }: Command): CommandResult {
  if (parent !== null) completionsOf(parent, args.at(-1) ?? '').parse([...args]);
  return 'done';
}

/** Works on a copy of the program, because the library adds its own commands to the program that it gets. */
function completionsOf(program: Command, typed: string): RootCommand {
  const copy = new Command(program.name());
  for (const command of program.commands.filter((one) => one.name() !== 'complete')) copy.addCommand(command);
  const root = tab(copy, { completionCommandName: 'completion-script' });
  root.commands.delete('completion-script');
  const offerFiles = (offer: (value: string, description: string) => void) =>
    filesLike(typed).forEach((file) => offer(file, ''));
  for (const command of copy.commands) {
    const known = root.commands.get(command.name());
    if (known === undefined) continue;
    known.description = command.summary();
    for (const option of command.options.filter(({ flags }) => flags.endsWith('<file>'))) {
      const own = known.options.get(option.long?.slice(2) ?? '');
      if (own !== undefined) own.handler = offerFiles;
    }
    const file = known.arguments.get('file');
    if (file !== undefined) file.handler = offerFiles;
  }
  return root;
}

/** Offers file names, because the scripts turn off the shell's own completion of them. */
function filesLike(typed: string): string[] {
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
