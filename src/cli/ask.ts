/** A question to the person at the terminal. */
import { createInterface } from 'node:readline';
import type { CommandContext } from './commands.ts';

/** @returns whether the answer is yes; `undefined` where nobody is there to be asked: in a pipe, a script, with `--quiet` */
export async function askPerson(
  { stdin, output, signal }: Pick<CommandContext, 'stdin' | 'output' | 'signal'>,
  question: string,
): Promise<boolean | undefined> {
  const { isTTY = false } = stdin as Partial<NodeJS.ReadStream>;
  if (!isTTY || output.canvas === undefined) return undefined;
  output.note(`${question} [y/N]`);
  const lines = createInterface({ input: stdin, signal });
  try {
    for await (const line of lines) return ['y', 'yes'].includes(line.trim().toLowerCase());
    return false;
  } finally {
    lines.close();
  }
}
