import { oddities } from '../records/attributes.ts';
import { HISTORY_INDEX_NAME } from '../records/names.ts';
import { queryHistory, type HistoryPosition, type ReadHistoryRecord } from '../records/history-table.ts';
import { sinceOf } from './builds-query.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { quoted } from './next-move.ts';
import type { Services } from './services.ts';
import { styleFor, type Style } from './style.ts';
import { table, type Column } from './table.ts';
import { between, relative, took } from './times.ts';

export interface HistoryOptions {
  since?: string;
  limit?: number;
  pageToken?: string;
}

const DEFAULT_LIMIT = 30;
/** What is printed at once where all are shown. */
const BLOCK = 200;

export async function history(
  context: CommandContext,
  account: string,
  resource: string | undefined,
  options: HistoryOptions,
): CommandResult {
  if (!/^\d{12}$/.test(account)) {
    throw new CliError('usage', `ACCOUNT must be 12 digits, not ${JSON.stringify(account)}`);
  }
  const { output, json } = context;
  const since = sinceOf(options);
  const after = options.pageToken === undefined ? undefined : fromPageToken(options.pageToken, account);
  const services = await context.services();
  const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : (options.limit ?? DEFAULT_LIMIT);

  let printed = 0;
  let last: HistoryPosition | undefined;
  let more = false;
  let block: ReadHistoryRecord[] = [];
  const flush = () => {
    if (block.length > 0 && !json) output.screen(historyTable(block, context));
    block = [];
  };
  for await (const { record, position } of requests(services, account, {
    ...(resource === undefined ? {} : { resource }),
    ...(since === undefined ? {} : { since }),
    ...(after === undefined ? {} : { after }),
  })) {
    more = printed === limit;
    if (more) break;
    printed += 1;
    last = position;
    if (json) output.json(record);
    else if (block.push(record) === BLOCK) flush();
    await output.drained();
  }
  flush();
  if (printed === 0) output.note(`no request is recorded for ${[account, resource].join(' ').trimEnd()}`);
  if (more && last !== undefined) {
    const name = resource === undefined ? account : `${account} ${quoted(resource)}`;
    const flags = Object.entries({ since: options.since, limit: options.limit })
      .filter(([, value]) => value !== undefined)
      .map(([flag, value]) => ` --${flag} ${value}`);
    output.note(`more: role-build history ${name}${flags.join('')} --page-token ${toPageToken(last)}`);
  }
  return 'done';
}

async function* requests(
  services: Services,
  account: string,
  options: { resource?: string; since?: string; after?: HistoryPosition },
): AsyncGenerator<{ record: ReadHistoryRecord; position: HistoryPosition }> {
  let { after } = options;
  do {
    const page = await services.dynamoDb(() =>
      queryHistory(services.tables, account, { ...options, ...(after === undefined ? {} : { after }) }).catch(
        (err: unknown) => {
          throw withoutIndex(err, services.tables.historyTable) ?? err;
        },
      ),
    );
    yield* page.requests;
    after = page.next;
  } while (after !== undefined);
}

/** The original's table has no such index, and a new one takes its time to fill. */
function withoutIndex(err: unknown, tableName: string): CliError | undefined {
  const { name, message } = err as Error;
  if (name !== 'ValidationException') return undefined;
  if (/backfilling|being created|not ready/i.test(message)) {
    return new CliError('unreachable', `the index ${HISTORY_INDEX_NAME} of table ${tableName} is still being filled`, {
      cause: err,
      hint: 'the same again later; builds go on meanwhile',
    });
  }
  if (!/index/i.test(message)) return undefined;
  return new CliError(
    'unreachable',
    `table ${tableName} has no index ${HISTORY_INDEX_NAME}, which lists an account's requests; nothing else needs it, so builds and their records are well`,
    {
      cause: err,
      hint: 'role-build setup adds it; role-build status --correlation-id ID shows one request without it',
    },
  );
}

const COLUMNS: readonly Column[] = [
  { head: 'STATUS' },
  { head: 'RESOURCE', min: 12 },
  { head: 'ACTION', min: 6 },
  { head: 'STARTED', goes: 1 },
  { head: 'TOOK', goes: 4 },
  { head: 'ERROR', goes: 3 },
  { head: 'REQUEST', goes: 2 },
  { head: 'BY', goes: 5 },
];

function historyTable(records: readonly ReadHistoryRecord[], { output }: CommandContext): string {
  const style = styleFor(output.terminal);
  const rows = records.flatMap((record) => [requestRow(record, style), ...previousRows(record, style)]);
  const odd = records.filter(({ odd_attributes }) => odd_attributes !== undefined);
  return [
    table(COLUMNS, rows, output.terminal.columns, style.dim),
    ...odd.map((record) => `${style.bad('odd')} ${style.plain(record.request_id)}: ${style.plain(oddities(record))}`),
  ].join('\n');
}

function requestRow(record: ReadHistoryRecord, style: Style): string[] {
  const { status = '', resource = '', action = '', error_info, request_id, requested_by } = record;
  return [
    record.odd_attributes === undefined
      ? style.status(status)
      : `${style.status(status)} ${style.bad('(odd)')}`.trimStart(),
    style.bold(resource),
    style.plain(action),
    ...timesOf(record, style),
    error_info === undefined ? '' : style.bad(error_info.Error),
    style.plain(request_id),
    style.dim(requested_by ?? ''),
  ];
}

/** How the jobs ended that a resume took over from, the latest first, under their request. */
function previousRows({ previous_jobs: jobs = [] }: ReadHistoryRecord, style: Style): string[][] {
  return jobs
    .toReversed()
    .map((job) => [
      `↳ ${style.status(job.status)}`,
      '',
      style.dim('resumed'),
      ...timesOf(job, style),
      job.error_info === undefined ? '' : style.bad(job.error_info.Error),
      style.dim(`job ${job.job_id}`),
      '',
    ]);
}

function timesOf(
  { status, start_at, updated_at }: { status?: string; start_at?: string; updated_at?: string },
  style: Style,
): [string, string] {
  const ms = status === 'IN_PROGRESS' ? undefined : between(start_at, updated_at);
  return [style.plain(start_at === undefined ? '' : relative(start_at)), ms === undefined ? '' : took(ms)];
}

function toPageToken({ start_at, request_id }: HistoryPosition): string {
  return Buffer.from(JSON.stringify([start_at, request_id])).toString('base64url');
}

/** @throws CliError `usage` */
function fromPageToken(token: string, account_id: string): HistoryPosition {
  try {
    const [start_at, request_id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (typeof start_at === 'string' && typeof request_id === 'string') return { account_id, start_at, request_id };
  } catch {
    // As below.
  }
  throw new CliError('usage', '--page-token is not one that history printed');
}
