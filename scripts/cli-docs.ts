/** `npm run docs:cli`: makes docs/cli, a page for every command, from what `--help` is made from. */
import type { EventEmitter } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Argument, Command, Option } from 'commander';
import { format, resolveConfig } from 'prettier';
import { defineProgram } from '../src/cli/define/program.ts';
import { EXIT_CODES } from '../src/cli/exit-codes.ts';

const FOLDER = fileURLToPath(new URL('../docs/cli/', import.meta.url));

/** The pages, by their file names. */
export async function cliDocs(): Promise<Map<string, string>> {
  const program = defineProgram(() => Promise.resolve());
  const commands = program.createHelp().visibleCommands(program);
  const own = commands.filter((command) => command.name() !== 'help');
  const pages = [
    ['README.md', overview(program, own)] as const,
    ...own.map((command) => [`${command.name()}.md`, page(program, command)] as const),
  ];
  const options = await resolveConfig(`${FOLDER}README.md`);
  const formatted = pages.map(
    async ([name, text]) => [name, await format(text, { ...options, parser: 'markdown' })] as const,
  );
  return new Map(await Promise.all(formatted));
}

function overview(program: Command, commands: readonly Command[]): string {
  return `${MADE_BY}
# role-build

${program.description()} Results go to stdout, everything else to stderr; \`--json\` prints JSON with the records' own field names, of a
stream one document a line. \`--quiet\` leaves out what is neither a result nor a failure. Tables fit the terminal, or the variable
\`COLUMNS\`; \`NO_COLOR\` and \`FORCE_COLOR\` are obeyed. Times are relative for people, ISO 8601 in JSON.

${markdownTable(
  ['command', 'does'],
  commands.map((command) => [`[\`${command.name()}\`](${command.name()}.md)`, command.summary()]),
)}

## Options of the program

${optionsTable(program.createHelp(), program)}

## Exit codes

${markdownTable(
  ['exit code', 'meaning'],
  Object.values(EXIT_CODES).map((exit) => [String(exit.code), exit.meaning]),
)}
`;
}

function page(program: Command, command: Command): string {
  const help = command.createHelp();
  const argumentRows = help.visibleArguments(command).map((one: Argument) => [code(one.name()), describe(one)]);
  return `${MADE_BY}
# role-build ${command.name()}

${help.commandDescription(command)}

\`\`\`sh
${program.name()} ${command.name()} ${command.usage()}
\`\`\`

${argumentRows.length === 0 ? '' : markdownTable(['argument', 'meaning'], argumentRows)}

${optionsTable(help, command)}

${textAfter(command)}
[All commands](README.md), and their exit codes.
`;
}

const MADE_BY = '<!-- Made by `npm run docs:cli`. -->\n';

function optionsTable(help: ReturnType<Command['createHelp']>, command: Command): string {
  const rows = help.visibleOptions(command).map((one: Option) => [code(one.flags), describe(one)]);
  return markdownTable(['option', 'meaning'], rows);
}

function describe({ description, argChoices: choices }: Pick<Option | Argument, 'description' | 'argChoices'>): string {
  return choices === undefined ? description : `${description}: ${choices.map(code).join(', ')}`;
}

/** What the help says after the options: headings with lines under them. */
function textAfter(command: Command): string {
  let text = '';
  // Commander's types leave out that a command is an emitter; its help takes what was added by this very event.
  const emitter = command as unknown as EventEmitter;
  emitter.emit('afterHelp', { error: false, command, write: (more: string) => (text += more) });
  const blocks = text.trim().split(/\n(?=\S.*:\n)/);
  return blocks
    .filter((block) => block !== '')
    .map((block) => {
      const [title = '', ...lines] = block.split('\n');
      return `## ${title.replace(/:$/, '')}\n\n\`\`\`sh\n${lines.map((line) => line.replace(/^ {2}/, '')).join('\n')}\n\`\`\`\n`;
    })
    .join('\n');
}

function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, heads.map(() => '---'), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
    .join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) {
  const pages = await cliDocs();
  await mkdir(FOLDER, { recursive: true });
  for (const name of await readdir(FOLDER)) if (!pages.has(name)) await rm(`${FOLDER}${name}`);
  for (const [name, text] of pages) await writeFile(`${FOLDER}${name}`, text);
  process.stdout.write(`docs/cli: ${pages.size} pages\n`);
}
