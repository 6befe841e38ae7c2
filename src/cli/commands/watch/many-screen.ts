import type { BuildView } from '../../build/view.ts';
import { styleFor } from '../../terminal/style.ts';
import { tableOf, type ColumnOf } from '../../terminal/table.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { relative } from '../../terminal/times.ts';

/** Builds that are followed, as far as they are known. */
export interface Watched {
  views: Map<string, BuildView>;
  /** Their workflow IDs. */
  running: Set<string>;
  /** Running builds beyond the limit. */
  waiting: number;
}

const COLUMNS: readonly ColumnOf<BuildView>[] = [
  { head: 'STATUS', cell: ({ status }, style) => style.status(status) },
  { head: 'ACCOUNT', goes: 3, cell: (view, style) => style.plain(namesOf(view)[0]) },
  { head: 'RESOURCE', min: 12, cell: (view, style) => style.bold(namesOf(view)[1]) },
  { head: 'STEP', min: 10, cell: ({ step = '' }, style) => style.plain(step) },
  { head: 'POLLS', goes: 1, cell: ({ polls = 0 }) => String(polls) },
  { head: 'LAST ANSWER', min: 8, goes: 2, cell: ({ last_status = '' }, style) => style.plain(last_status) },
  { head: 'NEXT', goes: 4, cell: ({ next_poll_at: next }, style) => (next ? style.plain(relative(next)) : '') },
  { head: 'STARTED', goes: 5, cell: (view, style) => style.plain(relative(startOf(view))) },
];

/** Account and resource; another client's workflow may have neither, and its ID is shown instead. */
export function namesOf({ workflow_id, account_id, resource }: BuildView): [account: string, resource: string] {
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  return [text(account_id, ''), text(resource, workflow_id)];
}

/** Heads, what is left out, the sum, and the line that the cursor stands in. */
const OTHER_ROWS = 5;

/** The builds that are watched, those that run first, as many as there is room for, and how many there are of each status. */
export function manyScreen({ views, waiting }: Watched, terminal: Terminal): string {
  const style = styleFor(terminal);
  const all = [...views.values()].sort((a, b) => rank(a) - rank(b) || (startOf(a) < startOf(b) ? 1 : -1));
  if (all.length === 0) return style.dim('looking for builds …');
  const room = Math.max(1, terminal.rows - OTHER_ROWS);
  const shown = all.slice(0, room);
  const counts = Map.groupBy(all, ({ status }) => status);
  const sums = [...counts].map(([status, { length }]) => `${length} ${style.status(status)}`);
  const left = all.length - shown.length;
  return [
    tableOf(COLUMNS, shown, terminal),
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
