import Table from 'cli-table3';
import { styleFor, type Style } from './style.ts';
import type { Terminal } from './terminal.ts';

export interface ColumnOf<Row> {
  head: string;
  /** The width to which the column may be cut if the terminal is narrow. */
  min?: number;
  /** Set if the column may be left out. The highest number is left out first. */
  goes?: number;
  /** Returns one line, with colours but no other control characters. */
  cell: (row: Row, style: Style) => string;
}

const GAP = '  ';
const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left']
    .concat(['left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
    .map((name) => [name, '']),
);

/**
 * Renders a table as wide as the terminal; in a pipe every cell is whole.
 *
 * @param isFirst whether it has the heads, which a table's later pages have not
 */
export function tableOf<Row>(
  columns: readonly ColumnOf<Row>[],
  rows: readonly Row[],
  terminal: Pick<Terminal, 'columns' | 'colours'>,
  isFirst = true,
): string {
  const style = styleFor(terminal);
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row, style)));
  const natural = columns.map(({ head }, i) => widest([head, ...cells.map((row) => row[i] ?? '')]));
  const shown = fit(columns, natural, terminal.columns);
  const made = new Table({
    chars: { ...NO_LINES, middle: GAP },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colWidths: shown.map(({ width }) => width),
  });
  const heads = columns.map(({ head }) => style.dim(head));
  made.push(...[...(isFirst ? [heads] : []), ...cells].map((row) => shown.map(({ index }) => row[index] ?? '')));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Returns a column's width as the library counts it, so that wide and combining characters count the same. */
function widest(cells: readonly string[]): number {
  const column = new Table({ chars: NO_LINES, style: { 'padding-left': 0, 'padding-right': 0 } });
  column.push(...cells.map((cell) => [cell]));
  return Math.max(1, column.width);
}

function fit(
  columns: readonly { min?: number; goes?: number }[],
  natural: readonly number[],
  width: number | undefined,
) {
  let shown = natural.map((own, index) => ({ index, width: own }));
  if (width === undefined) return shown;
  for (;;) {
    let over = shown.reduce((sum, { width: own }) => sum + own, (shown.length - 1) * GAP.length) - width;
    const tight = shown.map((one) => ({ ...one }));
    while (over > 0) {
      const widestFirst = tight
        .filter(({ index, width: own }) => own > (columns[index]?.min ?? Number.POSITIVE_INFINITY))
        .sort((a, b) => b.width - a.width);
      const [cut] = widestFirst;
      if (cut === undefined) break;
      cut.width -= 1;
      over -= 1;
    }
    const orders = shown.map(({ index }) => columns[index]?.goes ?? 0);
    const first = Math.max(...orders);
    if (over <= 0 || first === 0) return tight;
    shown = shown.filter((_, i) => i !== orders.indexOf(first));
  }
}
