import { defined } from '../../domain/defined.ts';
import { oddities, type AsRead } from '../../records/attributes.ts';
import { KEY_MAX_BYTES } from '../../records/items.ts';
import { HISTORY_INDEX_NAME } from '../../records/names.ts';
import {
  queryHistory,
  type HistoryPosition,
  type HistoryRecord,
  type ReadHistoryRecord,
} from '../../records/history-table.ts';
import { sinceOf } from '../temporal/queries.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import type { Services } from '../services.ts';
import { styleFor } from '../terminal/style.ts';
import { tableOf, type ColumnOf } from '../terminal/table.ts';
import { relative, tookBetween } from '../terminal/times.ts';
import type { Command } from 'commander';
import { examples, limitOf, nextPage, pages, type PageOptions } from '../options.ts';

/** How many requests are printed in one table. */
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

export async function run(context: CommandContext, options: PageOptions & { since?: string }): CommandResult {
  const [account = '', resource] = context.args;
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
  if (printed === 0) output.note(`no request is recorded for ${context.args.join(' ').trimEnd()}`);
  if (more && last !== undefined) {
    output.note(nextPage('history', context.args, options, toPageToken(last)));
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

/** Explains an error about the index. The state machine's table has none, and DynamoDB needs time to fill a new one. */
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

/** A request, or, without a `request_id`, an earlier job of a resumed request. */
type Row = AsRead<HistoryRecord>;

const COLUMNS: readonly ColumnOf<Row>[] = [
  {
    head: 'STATUS',
    cell: ({ request_id, status = '', odd_attributes }, style) => {
      if (request_id === undefined) return `↳ ${style.status(status)}`;
      const odd = odd_attributes === undefined ? '' : ` ${style.bad('(odd)')}`;
      return `${style.status(status)}${odd}`.trimStart();
    },
  },
  { head: 'RESOURCE', min: 12, cell: ({ resource }, style) => (resource === undefined ? '' : style.bold(resource)) },
  {
    head: 'ACTION',
    min: 6,
    cell: ({ request_id, action = '' }, style) =>
      request_id === undefined ? style.dim('resumed') : style.plain(action),
  },
  { head: 'STARTED', goes: 1, cell: ({ start_at = '' }, style) => style.plain(relative(start_at)) },
  {
    head: 'TOOK',
    goes: 4,
    cell: ({ status, start_at, updated_at }) => (status === 'IN_PROGRESS' ? '' : tookBetween(start_at, updated_at)),
  },
  { head: 'ERROR', goes: 3, cell: ({ error_info }, style) => (error_info ? style.bad(error_info.Error) : '') },
  {
    head: 'REQUEST',
    goes: 2,
    cell: ({ request_id, job_id }, style) =>
      request_id === undefined ? style.dim(`job ${job_id}`) : style.plain(request_id),
  },
  {
    head: 'BY',
    goes: 5,
    cell: ({ requested_by }, style) => (requested_by === undefined ? '' : style.dim(requested_by)),
  },
];

/** Lists under each request its earlier jobs, the latest first. */
function historyTable(records: readonly ReadHistoryRecord[], { output }: CommandContext): string {
  const style = styleFor(output.terminal);
  const rows = records.flatMap((record): Row[] => [
    record,
    ...(record.previous_jobs ?? [])
      .toReversed()
      .map(({ job_id, start_at, status, updated_at, error_info }) =>
        defined({ job_id, start_at, status, updated_at, error_info }),
      ),
  ]);
  const odd = records.filter(({ odd_attributes }) => odd_attributes !== undefined);
  return [
    tableOf(COLUMNS, rows, output.terminal),
    ...odd.map((record) => `${style.bad('odd')} ${style.plain(record.request_id)}: ${style.plain(oddities(record))}`),
  ].join('\n');
}

function toPageToken({ start_at, request_id }: HistoryPosition): string {
  return Buffer.from(JSON.stringify([start_at, request_id])).toString('base64url');
}

/** @throws CliError `usage` */
function fromPageToken(token: string, account_id: string): HistoryPosition {
  try {
    const [start_at, request_id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    // An index key is no longer than a sort key. Other programs may have written a `start_at` that is not a time.
    const isKeyText = (text: unknown, maxBytes: number): text is string =>
      typeof text === 'string' && text !== '' && Buffer.byteLength(text) <= maxBytes;
    const [requestMax, startMax] = KEY_MAX_BYTES;
    if (isKeyText(start_at, startMax) && isKeyText(request_id, requestMax)) return { account_id, start_at, request_id };
  } catch {
    // Throws below.
  }
  throw new CliError('usage', '--page-token is not a token that history printed');
}
