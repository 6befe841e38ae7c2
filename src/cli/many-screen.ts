import type { BuildView } from './build-view.ts';
import { styleFor, type Style } from './style.ts';
import { table, type Column } from './table.ts';
import type { Terminal } from './terminal.ts';
import { relative } from './times.ts';
import type { Watched } from './watch-many.ts';

const COLUMNS: readonly Column[] = [
  { head: 'STATUS' },
  { head: 'ACCOUNT', goes: 3 },
  { head: 'RESOURCE', min: 12 },
  { head: 'STEP', min: 10 },
  { head: 'POLLS', goes: 1 },
  { head: 'LAST ANSWER', min: 8, goes: 2 },
  { head: 'NEXT', goes: 4 },
  { head: 'STARTED', goes: 5 },
];

/** Heads, what is left out, the sum, and the line that the cursor stands in. */
const OTHER_ROWS = 5;

/** The builds that are watched, those that run first, as many as there is room for, and how many there are of each status. */
export function manyScreen({ views, waiting }: Watched, terminal: Terminal): string {
  const style = styleFor(terminal);
  const all = [...views.values()].sort((a, b) => rank(a) - rank(b) || (startOf(a) < startOf(b) ? 1 : -1));
  if (all.length === 0) return style.dim('looking for builds …');
  const room = Math.max(1, terminal.rows - OTHER_ROWS);
  const shown = all.slice(0, room);
  const rows = shown.map((view) => row(view, style));
  const counts = Map.groupBy(all, ({ status }) => status);
  const sums = [...counts].map(([status, { length }]) => `${length} ${style.status(status)}`);
  const left = all.length - shown.length;
  return [
    table(COLUMNS, rows, terminal.columns, style.dim),
    ...(left > 0 ? [style.dim(`… ${left} more`)] : []),
    '',
    [...sums, ...(waiting > 0 ? [style.dim(`${waiting} more match and are not followed`)] : [])].join(', '),
  ].join('\n');
}

function rank({ status }: BuildView): number {
  return status === 'IN_PROGRESS' ? 0 : 1;
}

function startOf(view: BuildView): string {
  return String(view['start_at']);
}

function row(view: BuildView, style: Style): string[] {
  const { status, step = '', polls = 0, last_status = '', next_poll_at: next } = view;
  return [
    style.status(status),
    style.plain(String(view['account_id'])),
    style.bold(String(view['resource'])),
    style.plain(step),
    String(polls),
    style.plain(last_status),
    next === undefined ? '' : style.plain(relative(next)),
    style.plain(relative(startOf(view))),
  ];
}
