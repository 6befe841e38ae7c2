import Table from 'cli-table3';
import type { Figure } from '../figures/figure.ts';
import type { Report } from './report.ts';
import { nameOf, ratiosOf, shown, verdictOf } from './summary.ts';

/** The results as a terminal shows them, a table for each figure. */
export function tableOf(report: Report, figures: readonly Figure[]): string {
  const parts = figures.flatMap(({ name, title }) => {
    const result = report.figures[name];
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
    return [`${table.toString()}\n${result.notes.join('\n')}\n`];
  });
  const { form, seconds, machine } = report;
  return `${parts.join('\n')}\nThe ${form} form, in ${seconds} s; ${machine.cores} cores of ${machine.cpu}, Node.js ${machine.node}. Median (least–most) of the rounds; only ratios of one run are worth comparing.`;
}
