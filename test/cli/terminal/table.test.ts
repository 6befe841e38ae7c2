import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coloured } from '../../../src/cli/terminal/output.ts';
import { tableOf } from '../../../src/cli/terminal/table.ts';
import { parseSince, relative, took } from '../../../src/cli/terminal/times.ts';

const COLUMNS = [{ head: 'A' }, { head: 'NAME', min: 4 }, { head: 'B', goes: 1 }, { head: 'C', goes: 2 }].map(
  (column, i) => ({ ...column, cell: (row: readonly string[]) => row[i] ?? '' }),
);
const ROWS = [['1', 'a-long-name', 'bbb', 'ccc']];

describe('a table', () => {
  for (const [width, expected] of [
    [undefined, 'A  NAME         B    C\n1  a-long-name  bbb  ccc'],
    [22, 'A  NAME       B    C\n1  a-long-n…  bbb  ccc'],
    [14, 'A  NAME    B\n1  a-lon…  bbb'],
    [8, 'A  NAME\n1  a-lo…'],
  ] as const) {
    it(`a table of width ${width}`, () => {
      assert.equal(tableOf(COLUMNS, ROWS, { columns: width, colours: false }), expected);
    });
  }

  it('a table has no heads on its later pages', () => {
    assert.equal(tableOf(COLUMNS, ROWS, { columns: undefined, colours: false }, false), '1  a-long-name  bbb  ccc');
  });

  it('a table counts wide characters as two, and colours as none', () => {
    const rows = [
      ['日本', 'x'],
      ['\u001b[31mab\u001b[39m', 'y'],
    ];
    const shown = tableOf(COLUMNS.slice(0, 2), rows, { columns: undefined, colours: false });
    assert.equal(shown, 'A     NAME\n日本  x\n\u001b[31mab\u001b[39m    y');
  });
});

describe('text from outside', () => {
  it('text from outside can at most set colours, even if it is not escaped', () => {
    assert.equal(coloured('\u001b[31ma\u001b[39m\n'), '\u001b[31ma\u001b[39m\n');
    assert.equal(coloured('\u001b[2Ja\u001b]0;t\u0007\r\u202e'), '\\u001b[2Ja\\u001b]0;t\\u0007\\u000d\\u202e');
  });
});

describe('times', () => {
  const now = Date.UTC(2026, 0, 2);

  it('times are relative for people', () => {
    assert.equal(relative('2026-01-01T23:57:00.000Z', now), '3m ago');
    assert.equal(relative('2026-01-02T00:00:48.000Z', now), 'in 48s');
    assert.equal(relative('2026-01-02T00:00:00.400Z', now), 'now');
    assert.equal(relative('no time', now), 'no time');
    assert.deepEqual([took(12.4), took(3_210), took(61_000), took(90_061_000)], ['12ms', '3.2s', '1m 1s', '1d 1h']);
  });

  it('times are given as spans or ISO 8601', () => {
    assert.equal(parseSince('2h', now), '2026-01-01T22:00:00.000Z');
    assert.equal(parseSince('3d', now), '2025-12-30T00:00:00.000Z');
    assert.equal(parseSince('2026-01-01T10:00:00+02:00', now), '2026-01-01T08:00:00.000Z');
    assert.equal(parseSince('2024-02-29', now), '2024-02-29T00:00:00.000Z');
    assert.equal(parseSince('999999w', now), '1970-01-01T00:00:00.000Z');
    for (const wrong of ['', '2', 'yesterday', '2y', '12', '2026-13-01'])
      assert.equal(parseSince(wrong, now), undefined);
  });

  it('times are refused if their day does not exist or text follows', () => {
    const days = ['2026-02-31', '2026-02-29', '2026-04-31', '2026-00-10', '2026-01-00', '2026-01-32'];
    const ends = [
      'garbage',
      ' garbage',
      'T',
      'T10',
      'T10:00:00Zgarbage',
      'T10:00:00Z (x)',
      'T10:00:00+25:00',
      'T25:00',
      '\n',
    ];
    for (const wrong of [
      ...days,
      ...days.map((day) => `${day}T10:00:00Z`),
      ...days.map((day) => `${day}T10:00:00.000+02:00`),
      ...ends.map((end) => `2026-01-01${end}`),
    ]) {
      assert.equal(parseSince(wrong, now), undefined, wrong);
      assert.equal(relative(wrong, now), wrong);
    }
  });
});
