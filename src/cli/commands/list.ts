import { isPaused } from '../../domain/execution-status.ts';
import { buildsQuery, isFiltered, type BuildFilters } from '../temporal/queries.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { listedBuild, type ListedBuild } from '../build/listed.ts';
import { listPage } from '../temporal/list-page.ts';
import { inParallel } from '../in-parallel.ts';
import { leniently } from '../build/follow.ts';
import type { Services } from '../services.ts';
import { tableOf, type ColumnOf } from '../terminal/table.ts';
import { relative, tookBetween } from '../terminal/times.ts';
import type { Command } from 'commander';
import { examples, filters, limitOf, nextPage, pages, type PageOptions } from '../options.ts';

type ListOptions = BuildFilters & PageOptions;

export function define(command: Command): Command {
  return pages(filters(command))
    .description(
      'Lists the builds that Temporal knows: running builds first, the newest on top, then the builds that ended within the ' +
        'retention period, the last to end on top. --json prints one build a line. If there are more than --limit, stderr ' +
        'shows the command for the next page.',
    )
    .addHelpText(
      'after',
      examples(
        'role-build list --account 123456789012 --status FAILED --since 3d',
        'role-build list --limit 0 --json | jq -r .job_id',
        `role-build list --query "CustomRoleName STARTS_WITH 'data-'"`,
      ),
    );
}

export async function run(context: CommandContext, options: ListOptions): CommandResult {
  const { output, json } = context;
  const query = buildsQuery(options);
  const services = leniently(await context.services());
  let left = limitOf(options);

  let printed = 0;
  let next = options.pageToken;
  do {
    const page = await listPage(services, query, left, next);
    const builds = await inParallel(page.executions, (info) => listedBuild(services, info));
    if (json) for (const build of builds) output.json(build);
    else if (builds.length > 0) output.screen(tableOf(COLUMNS, builds, output.terminal, printed === 0));
    printed += builds.length;
    left -= builds.length;
    next = page.next;
    await output.drained();
  } while (next !== undefined && left > 0);
  // A server may return a page token although no executions are left.
  if (next !== undefined && (await listPage(services, query, 1, next)).executions.length === 0) next = undefined;
  if (printed === 0) output.note(noneMessage(options, services));
  if (next !== undefined) output.note(nextPage('list', [], options, next));
  return 'done';
}

const COLUMNS: readonly ColumnOf<ListedBuild>[] = [
  {
    head: 'STATUS',
    cell: ({ status, execution_status }, style) =>
      `${style.status(status)}${isPaused(execution_status) ? style.dim(' (paused)') : ''}`,
  },
  { head: 'ACCOUNT', goes: 1, cell: ({ account_id = '' }, style) => style.plain(account_id) },
  { head: 'RESOURCE', min: 12, cell: ({ resource, workflow_id }, style) => style.bold(resource ?? workflow_id) },
  {
    head: 'ACTION',
    min: 6,
    goes: 2,
    cell: ({ action = '', dry_run }, style) =>
      `${style.plain(action)}${dry_run === true ? style.dim(' (dry run)') : ''}`,
  },
  { head: 'STARTED', goes: 3, cell: ({ start_at }) => relative(start_at) },
  { head: 'TOOK', goes: 4, cell: ({ start_at, closed_at }) => tookBetween(start_at, closed_at) },
  { head: 'JOB', goes: 5, cell: ({ job_id }, style) => style.dim(job_id) },
];

function noneMessage(options: ListOptions, { namespace }: Services): string {
  if (options.pageToken !== undefined) return 'no more builds';
  return isFiltered(options)
    ? `no build in namespace ${namespace} matches; role-build history ACCOUNT shows what Temporal no longer keeps`
    : `no builds in namespace ${namespace} yet; role-build start starts one`;
}
