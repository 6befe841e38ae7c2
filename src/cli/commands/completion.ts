import tab from '@bomb.sh/tab';
import { Argument, type Command } from 'commander';
import type { CommandContext, CommandResult } from '../context.ts';
import { examples } from '../options.ts';
import { bashCompletion } from './completion/bash.ts';
import { zshCompletion } from './completion/zsh.ts';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export function define(command: Command): Command {
  return command
    .description("Prints a script that teaches a shell the program's commands and options.")
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      examples(
        'source <(role-build completion bash)',
        'source <(role-build completion zsh)',
        'role-build completion fish | source',
      ),
    );
}

/** Prints the script that the shell reads; with each Tab it asks the command `complete`. */
export async function run({ output, json }: CommandContext, shell: keyof typeof SCRIPTS): CommandResult {
  const script = SCRIPTS[shell]('role-build');
  if (json) output.json({ shell, script });
  else output.script(script);
  return 'done';
}

/** The library prints its script to the console alone. */
function fishCompletion(program: string): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    tab.setup(program, program, 'fish');
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}
