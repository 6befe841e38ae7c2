import type { BuildView } from '../../build/view.ts';
import { styleFor } from '../../terminal/style.ts';
import { tableOf, type ColumnOf } from '../../terminal/table.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { relative } from '../../terminal/times.ts';

export interface Watched {
  views: Map<string, BuildView>;
  /** The workflow IDs of those that run. */
  running: Set<string>;
  /** The number of builds beyond the limit, which are followed later. */
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

/** Returns account and resource. Another client's workflow may have neither; then its ID is shown. */
export function namesOf({ workflow_id, account_id, resource }: BuildView): [account: string, resource: string] {
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  return [text(account_id, ''), text(resource, workflow_id)];
}

/** Rows for the head, the line of what is left out, an empty line, the sums, and the cursor. */
const OTHER_ROWS = 5;

/** Renders the builds, open ones first, as many as there is room for, and the number of each status. */
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
    [...sums, ...(waiting > 0 ? [style.dim(`${waiting} more wait to be followed`)] : [])].join(', '),
  ].join('\n');
}

function rank({ status }: BuildView): number {
  return status === 'IN_PROGRESS' ? 0 : 1;
}

function startOf(view: BuildView): string {
  return String(view['start_at']);
}
