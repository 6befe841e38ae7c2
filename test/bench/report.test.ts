import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FIGURES } from '../../bench/figures/index.ts';
import type { Row } from '../../bench/figures/figure.ts';
import { quantile, spreadOf } from '../../bench/measure/statistics.ts';
import { plotOf } from '../../bench/report/plot.ts';
import { sectionsOf, summaryOf, type Measured } from '../../bench/report/report.ts';
import { oursOf, othersOf, ratiosOf, shown, verdictOf } from '../../bench/report/summary.ts';

describe('statistics', () => {
  it('statistics interpolate when a share falls between two values', () => {
    assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
    assert.equal(quantile([1], 0.99), 1);
    assert.ok(Number.isNaN(quantile([], 0.5)));
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
  });
});

describe('a row of the report', () => {
  const row: Row = {
    what: 'CPU a poll',
    unit: 'ms',
    values: { plain: [10, 20, 10], roleBuild: [5, 8, 6] },
    bar: { against: 'plain', is: 'at most', bar: 0.7, goal: 0.5 },
  };

  it('a row of the report shows the median and the range of its rounds', () => {
    assert.equal(shown(row.values['roleBuild']), '6 (5–8)');
    assert.equal(shown([NaN]), '–');
    assert.equal(shown([1234.5]), '1,235');
  });

  it('a row of the report shows the medians of our contender and of the others', () => {
    assert.equal(oursOf(row), '6');
    assert.equal(othersOf(row), 'plain Temporal 10');
    assert.equal(oursOf({ ...row, values: { 'node -e 0': [3] } }), 'node -e 0 3');
  });

  it('a row of the report takes ratios round by round, whichever contender was measured first', () => {
    assert.equal(ratiosOf(row), '0.5 (0.4–0.6) × plain Temporal');
  });

  it('a row of the report says whether its bar is met', () => {
    assert.equal(verdictOf(row), 'at most 0.7: held, and the goal of 0.5');
    assert.equal(verdictOf({ ...row, bar: { against: 'plain', is: 'at least', bar: 1 } }), 'at least 1: not held');
    assert.equal(verdictOf({ ...row, values: { roleBuild: [51] }, atMost: 50 }), 'at most 50: not held');
  });
});

describe('the pages of the bench', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const all = JSON.parse(read('docs/benchmarks/results.json')) as Record<string, Measured>;
  /** Removes the white space that aligns tables. */
  const plain = (text: string) => text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');

  for (const [path, text] of [
    ['docs/benchmarks.md', summaryOf(all, FIGURES)],
    ['bench/README.md', sectionsOf(all, FIGURES)],
  ] as const) {
    it(`the page ${path} has the figures of results.json`, () => {
      const [, measured = ''] = /<!-- measured: begin -->\n([\s\S]*)<!-- measured: end -->/.exec(read(path)) ?? [];
      assert.equal(plain(measured).trim(), plain(text));
    });
  }
});

describe('a plot', () => {
  it('a plot has a line and a name for each contender, and escapes its texts', () => {
    const svg = plotOf({
      name: 'x',
      title: 'a < b & "c"',
      x: 'builds',
      y: 'ms',
      lines: {
        roleBuild: [
          [0, 0],
          [10, 5],
        ],
        plain: [[10, NaN]],
      },
    });
    assert.equal(svg.match(/<polyline/g)?.length, 2);
    assert.ok(svg.includes('plain Temporal') && svg.includes('a &lt; b &amp; &quot;c&quot;'));
    assert.ok(!svg.includes('NaN'));
  });

  it('a plot can have logarithmic axes', () => {
    const points: [number, number][] = [10, 100, 1_000].map((x) => [x, x / 10]);
    const svg = plotOf({ name: 'x', title: 't', x: 'x', y: 'y', lines: { plain: points }, logarithmic: ['x', 'y'] });
    const xs = [...svg.matchAll(/<circle cx="([^"]+)" cy="([^"]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
    const [first, middle, last] = xs as [number[], number[], number[]];
    for (const axis of [0, 1]) assert.equal(middle[axis], ((first[axis] ?? NaN) + (last[axis] ?? NaN)) / 2);
    for (const tick of ['>10<', '>100<', '>1,000<', '>1<']) assert.ok(svg.includes(tick), tick);
  });
});
