import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';
import { documents, TERMINAL, type, type SessionOptions, type Shown } from '../support/cli-session.ts';
import { exitsWith } from '../support/exits-with.ts';

const OTHER = '210987654321';

describe('commands about many builds', { concurrency: 4 }, () => {
  let stack: TestStack;
  const $ = (line: string, options?: SessionOptions): Promise<Shown> => type(stack.settings, line, options).shown;
  const body = (name: string, simulate = {}, more = {}) => ({ ...inputFor(stack, name, simulate).build_body, ...more });
  const start = (name: string, simulate: object, more: object = {}, key = {}) =>
    stack.build(inputFor(stack, name, {}, { build_body: body(name, simulate, more), ...key }));

  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
    await start('first', { polls: 0 });
    await start('second', { polls: 0, outcome: 'FAILED' }, { action: 'update' });
    await start('third', { polls: 0 }, { dry_run: true });
    await start('elsewhere', { polls: 0 }, { account_id: OTHER });
    const unavailable = { status: 503 };
    await start('resumed', { polls: 0, status: [unavailable, unavailable, unavailable] }, { account_id: OTHER });
    await $(`role-build resume ${OTHER} 'iam_role#resumed' --wait`);
    await until('visibility has all', async () => {
      const all = documents(await $('role-build list --json'));
      return all.length === 6 && all.every((build) => build['status'] !== 'IN_PROGRESS');
    });
  });
  after(() => stack.stop());

  const resources = (shown: Shown) => documents(shown).map(({ resource }) => String(resource).replace('iam_role#', ''));

  it('list shows all builds in a table, the last to end first', async () => {
    const { code, screen, raw, stderr } = await $('role-build list', { terminal: { columns: 120, rows: 30 } });
    assert.equal(code, 0, stderr);
    assert.match(screen, /^STATUS +ACCOUNT +RESOURCE +ACTION +STARTED +TOOK +JOB\n/);
    const rows = screen.split('\n').slice(1);
    assert.deepEqual(
      rows.map((row) => /(\S+) +\d{12} +iam_role#(\S+)/.exec(row)?.slice(1).join(' ')),
      ['COMPLETE resumed', 'FAILED resumed', 'COMPLETE elsewhere', 'COMPLETE third', 'FAILED second', 'COMPLETE first'],
    );
    assert.match(rows[3] ?? '', / create \(dry run\) +\d+[sm] ago +[\d.]+m?s /);
    assert.ok(raw.includes('\u001b[32mCOMPLETE'));
  });

  it("list --json prints one build a line, with the records' names", async () => {
    const [third] = documents(await $('role-build list --json --role third'));
    const { start_at, closed_at, job_id, run_id, ui_url, ...rest } = third ?? {};
    assert.deepEqual(rest, {
      workflow_id: `role-build:${ACCOUNT}:iam_role#third`,
      account_id: ACCOUNT,
      resource: 'iam_role#third',
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: 'third',
      dry_run: true,
      status: 'COMPLETE',
      correlation_id: 'request-third',
    });
    assert.match(`${String(start_at)} ${String(closed_at)}`, /^\d{4}-\S+Z \d{4}-\S+Z$/);
    assert.equal(run_id, job_id);
    assert.match(String(ui_url), /^http/);
  });

  for (const [filter, expected] of [
    [`--account ${OTHER}`, ['resumed', 'resumed', 'elsewhere']],
    ['--role first', ['first']],
    ['--action update', ['second']],
    ['--status FAILED', ['resumed', 'second']],
    ['--status COMPLETE --dry-run', ['third']],
    ['--since 1h --action update', ['second']],
    ['--since 2999-01-01', []],
    [`--query 'CustomRoleName STARTS_WITH "fir" OR CustomRoleName = "second"'`, ['second', 'first']],
  ] as const) {
    it(`list accepts ${filter}`, async () => {
      const shown = await $(`role-build list ${filter} --json`);
      assert.equal(shown.code, 0, shown.stderr);
      assert.deepEqual(resources(shown), expected);
    });
  }

  it('list shows a page and the command for the next page', async () => {
    const seen: string[] = [];
    const tokens: string[] = [];
    let line: string | undefined = 'role-build list --json --limit 4';
    for (let pages = 0; line !== undefined && pages < 3; pages += 1) {
      const shown: Shown = await $(line);
      seen.push(...resources(shown));
      const more: string | undefined = /^more: (.*)$/m.exec(shown.stderr)?.[1];
      tokens.push(...(/--page-token (\S+)/.exec(more ?? '')?.slice(1) ?? []));
      line = more === undefined ? undefined : `${more} --json`;
    }
    assert.deepEqual(seen, ['resumed', 'resumed', 'elsewhere', 'third', 'second', 'first']);
    assert.equal(line, undefined);
    assert.ok(tokens.length > 0);
    for (const cut of tokens.flatMap((token) => [token.slice(0, -1), token.slice(1), 'AAAA'])) {
      const { code, stderr } = await $(`role-build list --page-token=${cut}`);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--page-token is not a token that list printed/);
    }
    assert.deepEqual(resources(await $('role-build list --json --limit 0')), seen);
  });

  it('tables fit narrow terminals, and are complete in a pipe', async () => {
    for (const columns of [60, 40, 30]) {
      const { screen } = await $('role-build list', { settings: { COLUMNS: String(columns) } });
      for (const row of screen.split('\n')) assert.ok(row.length <= columns, row);
      assert.match(screen, columns >= 40 ? /COMPLETE +\d{12} +iam_role#/ : /COMPLETE +iam_role#/);
    }
    const { screen, raw } = await $('role-build list');
    assert.match(screen, /iam_role#elsewhere .* [0-9a-f-]{36}$/m);
    assert.ok(!raw.includes('\u001b'));
    assert.ok((await $('role-build list', { settings: { FORCE_COLOR: '1' } })).raw.includes('\u001b[32m'));
    const plain = await $('role-build list', { settings: { NO_COLOR: '1' }, terminal: TERMINAL });
    assert.ok(!plain.raw.includes('\u001b['));
  });

  it('list refuses invalid filters, and says which are valid', async () => {
    for (const [filter, hint] of [
      ['--since yesterday', /--since must be a span such as 90m, 2h or 3d, or an ISO 8601 time, not "yesterday"/],
      ['--account 12', /--account must be 12 digits/],
      ['--status DONE', /Allowed choices are IN_PROGRESS, COMPLETE/],
      ['--query nonsense', /Temporal refuses it/],
      [`--query 'Resource LIKE "x%"'`, /Temporal refuses it: .*operator 'LIKE' not supported/],
      ['--page-token x', /--page-token is not a token that list printed/],
    ] as const) {
      const { code, stderr } = await $(`role-build list ${filter}`);
      assert.equal(code, 2, filter);
      assert.match(stderr, hint);
    }
  });

  it('history refuses a page token that it did not print', async () => {
    const encoded = (...position: unknown[]) => Buffer.from(JSON.stringify(position)).toString('base64url');
    for (const token of [
      'x',
      encoded('', ''),
      encoded('2026', ''),
      encoded('2026', 'x'.repeat(3_000)),
      encoded(5, 'a'),
    ]) {
      const { code, stderr } = await $(`role-build history ${OTHER} --page-token ${token}`);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--page-token is not a token that history printed/);
    }
  });

  it('history shows past requests, with the jobs before each resume', async () => {
    const { code, screen, stderr } = await $(`role-build history ${OTHER}`);
    assert.equal(code, 0, stderr);
    assert.match(
      screen,
      /^STATUS .*\nCOMPLETE +iam_role#resumed +create .*\n↳ FAILED +resumed +.* BuildApiUnavailable +job \S+\nCOMPLETE +iam_role#elsewhere /,
    );
    const [request, ...more] = documents(await $(`role-build history ${OTHER} 'iam_role#resumed' --json`));
    assert.equal(more.length, 0);
    assert.equal(request?.['request_id'], 'request-resumed');
    const [earlier] = request['previous_jobs'] as { status: string; error_info: { Error: string } }[];
    assert.equal(earlier?.error_info.Error, 'BuildApiUnavailable');
    const page = await $(`role-build history ${OTHER} --limit 1 --json`);
    const next = /^more: (.*)$/m.exec(page.stderr)?.[1];
    assert.deepEqual(resources(await $(`${next} --json`)), ['elsewhere']);
    assert.match((await $(`role-build history 000000000000`)).stderr, /no request is recorded for 000000000000/);
  });

  it('history says that a table has no index, and what to type', async () => {
    const client = new DynamoDBClient({
      region: 'us-east-1',
      endpoint: stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    await client.send(
      new CreateTableCommand({
        TableName: 'as-the-originals',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'request_id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'request_id', KeyType: 'HASH' }],
      }),
    );
    client.destroy();
    const settings = { HISTORY_TABLE: 'as-the-originals' };
    const { code, stderr } = await $(`role-build history ${ACCOUNT}`, { settings });
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /^role-build: table as-the-originals has no index account_id-start_at, .*\ntry: role-build setup adds it/,
    );
    const setup = await $('role-build setup', { settings });
    assert.equal(setup.code, 0, setup.stderr);
    assert.match(setup.screen, /^index account_id-start_at of as-the-originals: (created|missing, and .* needs it)/m);
    if (stack.dynamoDb.kind === 'dynamodb-local') {
      await exitsWith(0, $(`role-build history ${ACCOUNT}`, { settings }));
    }
  });
});
