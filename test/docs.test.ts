import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cliDocs } from '../scripts/cli-docs.ts';
import { defineProgram } from '../src/cli/define/program.ts';
import { FINDINGS } from '../src/cli/doctor/kinds.ts';
import { EXIT_CODES } from '../src/cli/exit-codes.ts';
import { SETTINGS } from '../src/config.ts';
import { FAILURES, REFUSALS } from '../src/domain/failures.ts';
import { exposedName, METRICS, type MetricDefinition, type MetricName } from '../src/domain/metrics.ts';
import { resumedBy } from '../src/domain/resumption.ts';

const program = defineProgram(() => Promise.resolve());

/** The rows of the Markdown table with this header, a list of cells each, without their code marks. */
function table(file: string, header: string): string[][] {
  const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
  const lines = text.slice(text.indexOf(header)).split('\n');
  assert.ok(text.includes(header), `${file} has no table ${header}`);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  );
}

describe('the docs say what the code does', () => {
  it('README names every setting, its default and its meaning', () => {
    const expected = Object.entries(SETTINGS).map(
      ([name, { default: fallback, requiredBy, meaning }]: [
        string,
        { default?: string; requiredBy?: string; meaning: string },
      ]) => [name, fallback === '' ? 'none' : (fallback ?? `required by the ${requiredBy}`), meaning],
    );
    assert.deepEqual(table('README.md', '| variable '), expected);
  });

  it('README names every exit code and its meaning', () => {
    const expected = Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]);
    assert.deepEqual(
      table('README.md', '| exit code ').map(([code, meaning]) => [code, meaning?.replaceAll('`', '')]),
      expected,
    );
  });

  it('docs/failures.md names every failure, whose move it is and how it is resumed', () => {
    const how = { poll: 'polls on', trigger: 'POSTs again' };
    const expected = Object.entries(FAILURES).map(([name, { move }]) => {
      const resumed = resumedBy(name);
      return [name, move, resumed === undefined ? 'no' : how[resumed]];
    });
    assert.deepEqual(
      table('docs/failures.md', '| `Error`').map(([name, , move, resume]) => [name, move, resume?.split(',')[0]]),
      expected,
    );
  });

  it('docs/failures.md names every refusal', () => {
    assert.deepEqual(
      table('docs/failures.md', '| failure ').map(([name]) => name),
      Object.keys(REFUSALS),
    );
  });

  it('docs/doctor.md names every finding and its meaning', () => {
    assert.deepEqual(table('docs/doctor.md', '| finding '), Object.entries(FINDINGS));
  });

  it('docs/operating.md names every metric of ours, its labels and its meaning', () => {
    const expected = Object.entries(METRICS).map(([name, { labels, meaning }]: [string, MetricDefinition]) => [
      exposedName(name as MetricName),
      labels.join('`, `'),
      meaning,
    ]);
    assert.deepEqual(table('docs/operating.md', '| metric '), expected);
  });

  it('README names every command, as docs/cli does', () => {
    const commands = program
      .createHelp()
      .visibleCommands(program)
      .map((command) => command.name());
    assert.deepEqual(
      table('README.md', '| command ').map(([cell]) => /^(?:\[?`)?(\w+)/.exec(cell ?? '')?.[1]),
      commands.filter((name) => name !== 'help'),
    );
  });

  it('docs/cli says what --help says; `npm run docs:cli` makes it', async () => {
    const folder = fileURLToPath(new URL('../docs/cli/', import.meta.url));
    const pages = await cliDocs();
    assert.deepEqual(readdirSync(folder).sort(), [...pages.keys()].sort());
    for (const [name, text] of pages) assert.equal(readFileSync(`${folder}${name}`, 'utf8'), text, name);
  });

  it('every command has an example that runs it, --json and --quiet', () => {
    for (const command of program.commands.filter((one) => one.name() !== 'complete')) {
      const flags = command.options.map(({ long }) => long);
      assert.ok(flags.includes('--json') && flags.includes('--quiet'), command.name());
    }
    for (const name of readdirSync(new URL('../docs/cli/', import.meta.url)).filter((one) => one !== 'README.md')) {
      const text = readFileSync(new URL(`../docs/cli/${name}`, import.meta.url), 'utf8');
      assert.match(text, new RegExp(`## Example\\n\\n\`\`\`sh\\n.*role-build ${name.replace('.md', '')}`), name);
    }
  });
});
