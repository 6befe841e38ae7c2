import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FINDINGS } from '../src/cli/doctor/kinds.ts';
import { EXIT_CODES } from '../src/cli/exit-codes.ts';
import { SETTINGS } from '../src/config.ts';
import { FAILURES, REFUSALS } from '../src/domain/failures.ts';
import { resumedBy } from '../src/domain/resumption.ts';

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

  it('README names every command', () => {
    const program = readFileSync(new URL('../src/cli/program.ts', import.meta.url), 'utf8');
    const commands = [...program.matchAll(/(?:command|targetCommand)\(program, '(\w+)'/g)].map(([, name]) => name);
    assert.deepEqual(
      table('README.md', '| command ').map(([cell]) => /^`?(\w+)/.exec(cell ?? '')?.[1]),
      commands,
    );
  });
});
