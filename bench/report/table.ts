import Table from 'cli-table3';
import type { Figure } from '../figures/figure.ts';
import type { Measured } from './report.ts';
import { nameOf, ratiosOf, shown, verdictOf } from './summary.ts';

/** Formats the results for a terminal, with a table for each figure. */
export function tableOf(measured: Record<string, Measured>, figures: readonly Figure[]): string {
  const parts = figures.flatMap(({ name, title }) => {
    const { result, form, machine } = measured[name] ?? {};
    if (result === undefined) return [];
    const contenders = [...new Set(result.rows.flatMap(({ values }) => Object.keys(values)))];
    const table = new Table({
      head: [title, ...contenders.map(nameOf), 'ratio', 'bar'],
      style: { head: [], border: [] },
    });
    for (const row of result.rows) {
      const values = contenders.map((contender) => shown(row.values[contender]));
      table.push([`${row.what}, ${row.unit}`, ...values, ratiosOf(row), verdictOf(row)]);
    }
    const where = `${form} form; ${machine?.cores} cores of ${machine?.cpu}, load average ${machine?.load_average}`;
    return [`${table.toString()}\n${result.notes.join('\n')}\n${where}\n`];
  });
  return `${parts.join('\n')}\nMedian (least–most) of the rounds; only ratios of one run are worth comparing.`;
}
