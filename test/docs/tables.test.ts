import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generatedPages } from '../../scripts/docs/pages.ts';
import { defineProgram } from '../../src/cli/program.ts';
import { STATE_NAMES } from '../../src/activities/types.ts';
import { FINDINGS } from '../../src/cli/commands/doctor/findings.ts';
import { KINDS } from '../../src/records/attributes.ts';
import { WAIT_SUMMARY } from '../../src/contract.ts';
import { FAILURES, REFUSALS } from '../../src/domain/failures.ts';
import { METRICS, type MetricDefinition, type MetricName } from '../../src/domain/metrics.ts';
import { INPUT_KEYS } from '../../src/domain/validate-input.ts';
import { resumedBy } from '../../src/domain/previous-jobs.ts';
import { exposedName } from '../support/exposed-name.ts';
import { read } from './pages.ts';

let program: Awaited<ReturnType<typeof defineProgram>>;
before(async () => {
  program = await defineProgram();
});

/** Returns the rows of the Markdown table with this header as lists of cells, without their backticks. */
function table(file: string, header: string): string[][] {
  const text = read(file);
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

it('docs/operations.md names every failure with who must act and how it is resumed', () => {
  const how = { poll: 'polls on', trigger: 'POSTs again' };
  const expected = Object.entries(FAILURES).map(([name, { move }]) => {
    const resumed = resumedBy(name);
    return [name, move, resumed === undefined ? 'no' : how[resumed]];
  });
  assert.deepEqual(
    table('docs/operations.md', '| `Error`').map(([name, , move, resume]) => [name, move, resume?.split(',')[0]]),
    expected,
  );
});

it('docs/operations.md names every refusal', () => {
  assert.deepEqual(
    table('docs/operations.md', '| failure ').map(([name]) => name),
    [...REFUSALS],
  );
});

it('docs/operations.md names every finding and its meaning', () => {
  assert.deepEqual(table('docs/operations.md', '| finding '), Object.entries(FINDINGS));
});

it('docs/callers.md names every attribute of both records', () => {
  const rows = table('docs/callers.md', '| table ');
  const tables = ['status', 'history'] as const;
  for (const [i, [, key, attributes]] of rows.entries()) {
    const named = `${key}, ${attributes}`.replaceAll('`', '').split(', ');
    assert.deepEqual(named.sort(), Object.keys(KINDS[tables[i] ?? 'status']).sort());
  }
});

it('docs/callers.md names every key of the input', () => {
  assert.deepEqual(new Set(table('docs/callers.md', '| key ').map(([name]) => name)), new Set(INPUT_KEYS));
});

it('docs/operations.md names every metric of ours, its labels and its meaning', () => {
  const expected = Object.entries(METRICS).map(([name, { labels, meaning }]: [string, MetricDefinition]) => [
    exposedName(name as MetricName),
    labels.join('`, `'),
    meaning,
  ]);
  assert.deepEqual(table('docs/operations.md', '| metric '), expected);
});

it("the README's diagram has the steps of the workflow except the two of a cancelled build", () => {
  const [, diagram = ''] = /stateDiagram-v2\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
  const drawn = new Set([...diagram.matchAll(/[A-Z]\w+(?= -->)|(?<=--> )[A-Z]\w+/g)].map(([name]) => name));
  const steps = [...Object.values(STATE_NAMES), WAIT_SUMMARY].filter((name) => !name.startsWith('UpdateCancelled'));
  assert.deepEqual(drawn, new Set(steps));
});

it('README names every command, as docs/cli does', () => {
  const commands = program
    .createHelp()
    .visibleCommands(program)
    .map((command) => command.name());
  const named = [...read('README.md').matchAll(/^- `(\w+)` /gm)].map(([, name]) => name);
  assert.deepEqual(
    named,
    commands.filter((name) => name !== 'help'),
  );
});

it('docs/cli and docs/settings.md are up to date with `npm run docs`', async () => {
  const folder = fileURLToPath(new URL('../../docs/', import.meta.url));
  const pages = await generatedPages();
  assert.deepEqual(globSync(['settings.md', 'cli/*'], { cwd: folder }).sort(), [...pages.keys()].sort());
  for (const [path, text] of pages) assert.equal(readFileSync(`${folder}${path}`, 'utf8'), text, path);
});

it('every page of docs/cli has an example that runs its command, which takes --json and --quiet', () => {
  for (const command of program.commands.filter((one) => one.name() !== 'complete')) {
    const flags = command.options.map(({ long }) => long);
    assert.ok(flags.includes('--json') && flags.includes('--quiet'), command.name());
  }
  for (const name of readdirSync(new URL('../../docs/cli/', import.meta.url)).filter((one) => one !== 'README.md')) {
    const text = readFileSync(new URL(`../../docs/cli/${name}`, import.meta.url), 'utf8');
    assert.match(text, new RegExp(`## Example\\n\\n\`\`\`sh\\n.*role-build ${name.replace('.md', '')}`), name);
  }
});
