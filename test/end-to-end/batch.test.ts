/** What `batch` accepts, refuses and shows. */
import assert from 'node:assert/strict';
import { link, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { ACCOUNT, CREDENTIAL, inputFor, parseJson } from '../support/stack.ts';
import { batchFixture, type Given } from '../support/batch-fixture.ts';
import { exitsWith } from '../support/exits-with.ts';

describe('role-build batch', { concurrency: 2 }, () => {
  const on = batchFixture();
  const { line, lines, write, reportPath, readReport, args, postsOf } = on;

  it('role-build batch starts nothing if a line is bad, and names every fault with its line and path', async () => {
    const good = lines('bad', 3);
    const bad = { ...line('bad-4'), url: 'ftp://x', build_body: { ...(good[0]?.['build_body'] as Given), dry_run: 1 } };
    const file = await write(
      'bad.ndjson',
      [
        ...good.map((one) => JSON.stringify(one)),
        JSON.stringify(bad),
        '',
        `{"encrypted_jwt": "${CREDENTIAL}" oops`,
        JSON.stringify(good[1]),
        JSON.stringify([1]),
      ].join('\n'),
    );
    const { code, stdout, stderr } = await on.stack.cli(args(file, 'bad'));
    assert.equal(code, 2, stderr);
    const { faults } = JSON.parse(stdout) as { faults: { line: number; path: string; message: string }[] };
    assert.deepEqual(
      faults.map((fault) => `${fault.line} ${fault.path}`),
      ['4 build_body.dry_run', '4 url', '6 (line)', '7 ddb_composite_sort_key', '7 correlation_id', '8 (input)'],
    );
    assert.match(stderr, /^line 7: ddb_composite_sort_key: line 2 asks for the same account and resource$/m);
    assert.match(stderr, /4 of 7 lines are not valid, so nothing was started; --skip-invalid/);
    assert.ok(!stderr.includes(CREDENTIAL) && !stdout.includes(CREDENTIAL));
    await assert.rejects(readReport('bad'));
    assert.equal(postsOf('bad').size, 0);

    const skipping = await on.stack.cli(args(file, 'bad', '--skip-invalid', '--wait'));
    assert.equal(skipping.code, 1, skipping.stderr);
    assert.deepEqual(parseJson(skipping)['statuses'], { COMPLETE: 3, INVALID: 4 });
    assert.deepEqual(
      (await readReport('bad')).map(({ line: number, status }) => `${number} ${status}`),
      ['1 COMPLETE', '2 COMPLETE', '3 COMPLETE', '4 INVALID', '6 INVALID', '7 INVALID', '8 INVALID'],
    );
  });

  it('role-build batch reads CSV: columns by the names of the records or the flags, defaults, more for build_body', async () => {
    const csv = [
      '\uFEFFaccount_id,role,dry-run,poll_interval_seconds,requested_by,build_body.owner,correlation_id',
      `${ACCOUNT},csv-1,TRUE,1,"a ""team"",`,
      `of two",me,csv-request-1`,
      `${ACCOUNT},csv-2,,1,,,`,
    ].join('\r\n');
    const file = await write('roles.csv', csv);
    const result = await on.stack.cli(
      args(file, 'csv', '--url', on.stack.buildApiUrl, '--wait', '--poll-spread-seconds', '0'),
    );
    assert.equal(result.code, 0, result.stderr);
    const [first, second] = await readReport('csv');
    assert.deepEqual(
      [first?.line, first?.correlation_id, first?.workflow_id, first?.status],
      [2, 'csv-request-1', `role-build:${ACCOUNT}:iam_role#csv-1`, 'COMPLETE'],
    );
    assert.equal(second?.line, 4);
    assert.match(second?.correlation_id ?? '', /^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-/);
    const [post] = on.stack.buildApi.requests('csv-request-1');
    assert.deepEqual(JSON.parse(post?.body ?? ''), {
      build_type: 'iam_role',
      action: 'create',
      dry_run: true,
      account_id: ACCOUNT,
      custom_role_name: 'csv-1',
      owner: 'me',
    });
    assert.equal(post?.headers.find(([name]) => name.toLowerCase() === 'encrypted-authorization')?.[1], CREDENTIAL);
  });

  it('role-build batch refuses a CSV whose header or shape is not understood', async () => {
    const faultsOf = async (csv: string) => (await on.stack.cli(args(await write('odd.csv', csv), 'odd'))).stderr;
    const header = await faultsOf('account_id,encrypted_jwt,wages,account\n');
    assert.match(header, /line 1: \(header\): "encrypted_jwt" is not a column: give the credential with/);
    assert.match(header, /line 1: \(header\): "wages" is not a column; the columns are account_id, custom_role_name/);
    assert.match(header, /line 1: \(header\): "account" is there twice/);
    assert.match(await faultsOf('account;role\n'), /"account;role" is not a column; separate columns with commas/);
    const missing = await faultsOf(`account,role\n${ACCOUNT},odd-1\n`);
    assert.match(missing, /^line 2: url: is missing$/m);
    assert.match(missing, /^try: --url URL$/m);
    assert.match(await faultsOf('account_id,role\n1\n'), /line 2: \(line\): has 1 cells; the header has 2/);
    assert.match(await faultsOf('account_id,role\n1,"x\n'), /line \d: \(line\): is not CSV/);
    const latin1 = join(on.folder, 'latin-1.csv');
    await writeFile(latin1, Buffer.from(`account,role,build_body.owner\n${ACCOUNT},odd-1,Renée\n`, 'latin1'));
    const { code, stderr } = await on.stack.cli(['batch', latin1]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^role-build: latin-1\.csv: line 2, byte 23: 0xE9 is not UTF-8; save it as UTF-8$/m);
    assert.match(
      (await on.stack.cli(['batch', join(on.folder, 'none.csv')])).stderr,
      /the batch can't be read: ENOENT/,
    );
    assert.match((await on.stack.cli(['batch', 'roles.txt'])).stderr, /ndjson or csv; give --format/);
  });

  it('role-build batch takes stdin, and leaves nothing of it behind', async () => {
    const temporary = join(on.folder, 'tmp');
    await mkdir(temporary);
    const stdin = lines('stdin', 3)
      .map((one) => JSON.stringify(one))
      .join('\n');
    const result = await on.stack.cli(args('-', 'stdin', '--wait'), { stdin, settings: { TMPDIR: temporary } });
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(parseJson(result)['statuses'], { COMPLETE: 3 });
    assert.deepEqual(await readdir(temporary), []);
    const again = await on.stack.cli(args('-', 'stdin', '--wait'), { stdin });
    assert.equal(parseJson(again)['started_before'], 3);
  });

  it('a batch refuses a resource that another request holds, and a correlation_id of another request', async () => {
    const other = inputFor(on.stack, 'taken-1', { outcome: 'NEVER' });
    await on.stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(other) });
    await on.stack.build(inputFor(on.stack, 'taken-0', { polls: 0 }));
    const file = await write('taken.ndjson', [
      line('taken-1'),
      line('taken-2', { polls: 0 }, { correlation_id: 'request-taken-0' }),
      line('taken-3'),
    ]);
    const result = await on.stack.cli(args(file, 'taken', '--wait'));
    assert.equal(result.code, 1, result.stderr);
    const [held, reused, free] = await readReport('taken');
    assert.deepEqual([held?.status, reused?.status, free?.status], ['REFUSED', 'REFUSED', 'COMPLETE']);
    assert.match(held?.error ?? '', /already builds this resource/);
    assert.match(reused?.error ?? '', /request request-taken-0 is that of 123456789012 iam_role#taken-0/);
    await on.stack.cli(['cancel', '--correlation-id', other.correlation_id]);
  });

  it('a batch refuses a line whose resource Step Functions holds, and goes on with the others; --take-over builds it', async () => {
    const EXECUTION = 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1';
    const direct = new DynamoDBClient({
      region: 'us-east-1',
      endpoint: on.stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const Item = {
      account_id: { S: ACCOUNT },
      resource: { S: 'iam_role#sfn-1' },
      job_id: { S: EXECUTION },
      start_at: { S: '2025-01-09T15:25:00.123Z' },
      status: { S: 'IN_PROGRESS' },
    };
    await direct.send(new PutItemCommand({ TableName: STATUS_TABLE_NAME, Item }));
    direct.destroy();
    const file = await write('sfn.ndjson', lines('sfn', 2));
    const first = await on.stack.cli(args(file, 'sfn', '--wait'));
    assert.equal(first.code, 1, first.stderr);
    const [held, free] = await readReport('sfn');
    assert.deepEqual([held?.status, held?.job_id, free?.status], ['REFUSED', EXECUTION, 'COMPLETE']);
    assert.match(held?.error ?? '', /an execution of Step Functions, is IN_PROGRESS there; --take-over replaces/);
    assert.match(first.stderr, /^line 1: REFUSED: arn:aws:states:/m);
    assert.equal(postsOf('sfn').get('sfn-1'), undefined);

    const taken = await on.stack.cli(args(file, 'sfn-2', '--wait', '--take-over', '--failed-from', reportPath('sfn')));
    assert.equal(taken.code, 0, taken.stderr);
    assert.deepEqual(parseJson(taken)['statuses'], { COMPLETE: 1 });
    assert.deepEqual([...postsOf('sfn').values()], [1, 1]);
  });

  it('role-build batch waits while DynamoDB throttles its look-up', async () => {
    const { proxy } = on.stack;
    const id = 'request-throttled-1';
    // Twice the attempts of one look-up.
    proxy.decide = ({ operation, request }) =>
      operation === 'BatchGetItem' && JSON.stringify(request).includes(id) && proxy.callsFor(id).length <= 10
        ? 'throttle'
        : undefined;
    const file = await write('throttled.ndjson', [line('throttled-1', { polls: 0 }, { correlation_id: id })]);
    const result = await on.stack.cli(args(file, 'throttled', '--wait'));
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(parseJson(result)['statuses'], { COMPLETE: 1 });
  });

  it('role-build batch names the faults of hostile lines of JSON', async () => {
    const deep = `{"build_body":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const { code, stderr } = await on.stack.cli(args(await write('deep.ndjson', `${deep}\n`), 'deep'));
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^line 1: /m);
    const long = await on.stack.cli(args(await write('long.ndjson', `{"a":"${'x'.repeat(5_000_000)}`), 'long'));
    assert.equal(long.code, 2, long.stderr);
    assert.match(long.stderr, /line is longer than 4000000 characters/);
  });

  it('role-build batch shows the first hundred lines with faults, and counts the rest', async () => {
    const file = await write(
      'many-faults.ndjson',
      Array.from({ length: 250 }, () => ({})),
    );
    const { code, stderr, stdout } = await on.stack.cli(args(file, 'many-faults'));
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^line 100: /m);
    assert.doesNotMatch(stderr, /^line 101: /m);
    assert.match(stderr, /^and 150 more lines that are not valid$/m);
    assert.equal((JSON.parse(stdout) as { faults: unknown[] }).faults.length, 750);
  });

  it('role-build batch refuses to write its report over its input, by any name, or over another file, and changes neither', async () => {
    const file = await write('clash.ndjson', lines('clash', 1));
    const linked = join(on.folder, 'linked.ndjson');
    await link(file, linked);
    const other = await write('other.txt', 'mine\n');
    const earlier = await write('clash.report', '{"line":1,"status":"NOT_STARTED"}\n');
    for (const [message, ...more] of [
      ['would overwrite a file that the batch reads', '--report', file],
      ['would overwrite a file that the batch reads', '--report', linked],
      ['would overwrite a file that the batch reads', '--failed-from', earlier, '--report', earlier],
      ['exists and is not a batch report, so it was not changed', '--report', other],
    ]) {
      const { code, stderr } = await on.stack.cli(['batch', file, ...more]);
      assert.equal(code, 2, stderr);
      assert.ok(stderr.includes(message ?? ''), stderr);
    }
    const before = lines('clash', 1).map((one) => `${JSON.stringify(one)}\n`);
    assert.deepEqual(await readFile(file, 'utf8'), before.join(''));
    assert.equal(await readFile(other, 'utf8'), 'mine\n');
    assert.match(await readFile(earlier, 'utf8'), /NOT_STARTED/);

    const { code, stderr } = await on.stack.cli(args(file, 'clash-2', '--failed-from', file));
    assert.equal(code, 2, stderr);
    assert.match(stderr, /is not a batch report: see its line 1/);
    await exitsWith(2, on.stack.cli(['batch', file, '--rate', '0']));
    assert.equal(postsOf('clash').size, 0);
  });
});
