import { defined } from '../../domain/defined.ts';
import { oddities } from '../../records/attributes.ts';
import { KEY_MAX_BYTES } from '../../records/items.ts';
import { HISTORY_INDEX_NAME } from '../../records/names.ts';
import { queryHistory, type HistoryPosition, type ReadHistoryRecord } from '../../records/history-table.ts';
import { sinceOf } from '../temporal/queries.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import type { Services } from '../services.ts';
import { styleFor, type Style } from '../terminal/style.ts';
import { table, type Column } from '../terminal/table.ts';
import { relative, tookBetween } from '../terminal/times.ts';
import type { Command } from 'commander';
import { examples, limitOf, nextPage, pages, type PageOptions } from '../options.ts';

/** How many are printed at a time. */
const BLOCK = 200;

export function define(command: Command): Command {
  const named = command
    .description(
      'Shows the past requests for an account, or for one resource in it, newest first, with the earlier jobs of a resumed ' +
        'request. Reads the history table, which outlives the retention of Temporal. Needs the index of that table, which ' +
        '`role-build setup` adds.',
    )
    .argument('<account>', '12 digits')
    .argument('[resource]', "only this resource, such as 'iam_role#data-reader'")
    .option('--since <time>', 'requests that started at or after this time: 90m, 2h or 3d ago, or an ISO 8601 time');
  return pages(named).addHelpText(
    'after',
    examples("role-build history 123456789012 'iam_role#data-reader' --since 30d"),
  );
}

export async function run(
  context: CommandContext,
  account: string,
  resource: string | undefined,
  options: PageOptions & { since?: string },
): CommandResult {
  if (!/^\d{12}$/.test(account)) {
    throw new CliError('usage', `ACCOUNT must be 12 digits, not ${JSON.stringify(account)}`);
  }
  const { output, json } = context;
  const since = sinceOf(options);
  const after = options.pageToken === undefined ? undefined : fromPageToken(options.pageToken, account);
  const services = await context.services();
  const limit = limitOf(options);

  let printed = 0;
  let last: HistoryPosition | undefined;
  let more = false;
  let block: ReadHistoryRecord[] = [];
  const flush = () => {
    if (block.length > 0 && !json) output.screen(historyTable(block, context));
    block = [];
  };
  for await (const { record, position } of requests(services, account, defined({ resource, since, after }))) {
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
    output.note(
      nextPage('history', [account, ...(resource === undefined ? [] : [resource])], options, toPageToken(last)),
    );
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
      queryHistory(services.tables, account, { ...options, ...defined({ after }) }).catch((err: unknown) => {
        throw withoutIndex(err, services.tables.historyTable) ?? err;
      }),
    );
    yield* page.requests;
    after = page.next;
  } while (after !== undefined);
}

/** The Step Functions state machine's table has no such index, and DynamoDB needs time to fill a new one. */
function withoutIndex(err: unknown, tableName: string): CliError | undefined {
  const { name, message } = err as Error;
  if (name !== 'ValidationException') return undefined;
  if (/backfilling|being created|not ready/i.test(message)) {
    return new CliError('unreachable', `the index ${HISTORY_INDEX_NAME} of table ${tableName} is still being filled`, {
      cause: err,
      hint: 'run the same command again later; builds go on meanwhile',
    });
  }
  if (!/index/i.test(message)) return undefined;
  return new CliError(
    'unreachable',
    `table ${tableName} has no index ${HISTORY_INDEX_NAME}, which lists an account's requests; only this command needs it`,
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
  const span = status === 'IN_PROGRESS' ? '' : tookBetween(start_at, updated_at);
  return [style.plain(start_at === undefined ? '' : relative(start_at)), span];
}

function toPageToken({ start_at, request_id }: HistoryPosition): string {
  return Buffer.from(JSON.stringify([start_at, request_id])).toString('base64url');
}

/** @throws CliError `usage` */
function fromPageToken(token: string, account_id: string): HistoryPosition {
  try {
    const [start_at, request_id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    // The key of an index is as long as a sort key at most. What others have written there need not be a time.
    const isKeyText = (text: unknown, maxBytes: number): text is string =>
      typeof text === 'string' && text !== '' && Buffer.byteLength(text) <= maxBytes;
    const [requestMax, startMax] = KEY_MAX_BYTES;
    if (isKeyText(start_at, startMax) && isKeyText(request_id, requestMax)) return { account_id, start_at, request_id };
  } catch {
    // As below.
  }
  throw new CliError('usage', '--page-token is not a token that history printed');
}
