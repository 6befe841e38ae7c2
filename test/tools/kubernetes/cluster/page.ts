/** Reads the commands of docs/kubernetes.md that users type. */
import { spawnSync } from 'node:child_process';
import { blocks, inlineCode, read } from '../../../docs/pages.ts';

const page = read('docs/kubernetes.md');

/** @param heading of a section @returns its commands, in order @throws if the page has no such section */
export function commandsOf(heading: string): string[] {
  const [, ...sections] = page.split(/^#+ (?=.*$)/m);
  const section = sections.find((one) => one.startsWith(`${heading}\n`));
  const commands = blocks(section ?? '', 'sh').flatMap(splitCommands);
  if (commands.length === 0) throw new Error(`docs/kubernetes.md has no commands below "${heading}"`);
  return commands;
}

/** Uses Bash to tell whether a command continues on the next line. */
function splitCommands(block: string): string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of block.split('\n')) {
    open += open === '' ? line : `\n${line}`;
    if (open.endsWith('\\') || spawnSync('bash', ['-n', '-c', open]).status !== 0) continue;
    if (open !== '' && !open.startsWith('#')) commands.push(open.replace(/ +#.*$/, ''));
    open = '';
  }
  return commands;
}

/** @returns a command in the prose of the page @throws if the page does not have it */
export function inline(command: string): string {
  if (!inlineCode(page).includes(command)) throw new Error(`docs/kubernetes.md does not have \`${command}\``);
  return command;
}
