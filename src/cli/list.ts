import { isPaused } from '../domain/execution-status.ts';
import { buildsQuery, type BuildFilters } from './builds-query.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { listedBuild, type ListedBuild } from './listed-build.ts';
import { listPage } from './list-page.ts';
import { quoted } from './next-move.ts';
import type { Services } from './services.ts';
import { styleFor, type Style } from './style.ts';
import { table, type Column } from './table.ts';
import { between, relative, took } from './times.ts';

export interface ListOptions extends BuildFilters {
  limit?: number;
  pageToken?: string;
}

const DEFAULT_LIMIT = 30;

export async function list(context: CommandContext, options: ListOptions): CommandResult {
  const { output, json } = context;
  const query = buildsQuery(options);
  const services = await context.services();
  let left = options.limit === 0 ? Number.POSITIVE_INFINITY : (options.limit ?? DEFAULT_LIMIT);

  let printed = 0;
  let next = options.pageToken;
  do {
    const page = await listPage(services, query, left, next);
    const builds = await Promise.all(page.executions.map((info) => listedBuild(services, info)));
    if (json) for (const build of builds) output.json(build);
    else if (builds.length > 0) output.screen(buildsTable(builds, context));
    printed += builds.length;
    left -= builds.length;
    next = page.next;
    await output.drained();
  } while (next !== undefined && left > 0);
  // A server may name another page although nothing is left for it.
  if (next !== undefined && (await listPage(services, query, 1, next)).executions.length === 0) next = undefined;
  if (printed === 0) output.note(noneMessage(options, services));
  if (next !== undefined) output.note(`more: ${commandOf(options)} --page-token ${next}`);
  return 'done';
}

const COLUMNS: readonly Column[] = [
  { head: 'STATUS' },
  { head: 'ACCOUNT', goes: 1 },
  { head: 'RESOURCE', min: 12 },
  { head: 'ACTION', min: 6 },
  { head: 'STARTED', goes: 2 },
  { head: 'TOOK', goes: 3 },
  { head: 'JOB', goes: 4 },
];

function buildsTable(builds: readonly ListedBuild[], { output }: CommandContext): string {
  const style = styleFor(output.terminal);
  const rows = builds.map((build) => row(build, style));
  return table(COLUMNS, rows, output.terminal.columns, style.dim);
}

function row(build: ListedBuild, style: Style): string[] {
  const { status, account_id = '', resource, workflow_id, action = '', dry_run, start_at, closed_at, job_id } = build;
  const paused = isPaused(build.execution_status) ? style.dim(' (paused)') : '';
  const ms = between(start_at, closed_at);
  return [
    `${style.status(status)}${paused}`,
    style.plain(account_id),
    style.bold(resource ?? workflow_id),
    `${style.plain(action)}${dry_run === true ? style.dim(' (dry run)') : ''}`,
    relative(start_at),
    ms === undefined ? '' : took(ms),
    style.dim(job_id),
  ];
}

function noneMessage(options: ListOptions, { namespace }: Services): string {
  if (options.pageToken !== undefined) return 'no more builds';
  const isFiltered = ['account', 'role', 'action', 'status', 'since', 'dryRun', 'query'].some(
    (name) => options[name as keyof ListOptions] !== undefined,
  );
  return isFiltered
    ? `no build in namespace ${namespace} matches; role-build history ACCOUNT shows what Temporal no longer keeps`
    : `no builds in namespace ${namespace} yet; role-build start starts one`;
}

/** What was typed, for the next page. */
function commandOf(options: ListOptions): string {
  const { account, role, action, status, since, dryRun, query, limit } = options;
  const flags = Object.entries({ account, role, action, status, since, query, limit })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${quoted(String(value))}`);
  return ['role-build list', ...flags, ...(dryRun === true ? ['--dry-run'] : [])].join(' ');
}
