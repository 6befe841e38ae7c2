/** Generates docs/cli, one page for each command, from the definitions that `--help` uses. */
import type { EventEmitter } from 'node:events';
import type { Argument, Command, Option } from 'commander';
import { defineProgram } from '../../src/cli/program.ts';
import { EXIT_CODES } from '../../src/cli/errors/exit-codes.ts';
import { code, formatted, MADE_BY, table } from './markdown.ts';

export async function cliPages(): Promise<Map<string, string>> {
  const program = await defineProgram();
  const commands = program.createHelp().visibleCommands(program);
  const own = commands.filter((command) => command.name() !== 'help');
  const pages = new Map([['README.md', await formatted(overview(program, own))]]);
  for (const command of own) pages.set(`${command.name()}.md`, await formatted(page(program, command)));
  return pages;
}

function overview(program: Command, commands: readonly Command[]): string {
  return `${MADE_BY}
# role-build

Which commands are there, and what do they print?

${program.description()} Results go to stdout, everything else to stderr. \`--json\` prints JSON with the records' own field names, one document a
line if there are several. \`--quiet\` prints results and failures only. Times are relative for people, and ISO 8601 in JSON. Tables fit the terminal or the
variable \`COLUMNS\`; \`NO_COLOR\` and \`FORCE_COLOR\` are obeyed.

The credential \`encrypted_jwt\` comes from the input, from \`--encrypted-jwt-file\` or from the variable \`ENCRYPTED_JWT\`, never from an argument.
In a checkout put \`npm run -s role-build --\` before the command.

${table(
  ['command', 'does'],
  commands.map((command) => [`[\`${command.name()}\`](${command.name()}.md)`, command.summary()]),
)}

## Options of the program

${optionsTable(program.createHelp(), program)}

## Exit codes

${table(
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

${argumentRows.length === 0 ? '' : table(['argument', 'meaning'], argumentRows)}

${optionsTable(help, command)}

${textAfter(command)}
[All commands](README.md), and their exit codes.
`;
}

function optionsTable(help: ReturnType<Command['createHelp']>, command: Command): string {
  const rows = help.visibleOptions(command).map((one: Option) => [code(one.flags), describe(one)]);
  return table(['option', 'meaning'], rows);
}

function describe({ description, argChoices: choices }: Pick<Option | Argument, 'description' | 'argChoices'>): string {
  return choices === undefined ? description : `${description}: ${choices.map(code).join(', ')}`;
}

/** Returns what the help prints after the options: headings with lines below them. */
function textAfter(command: Command): string {
  let text = '';
  // Commander's types omit that a command is an emitter; its help emits this event to get the added text.
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
