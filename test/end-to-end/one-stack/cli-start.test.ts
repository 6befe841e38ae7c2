/** What `start` accepts, refuses, joins and prints. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { BuildInProgressError, startRoleBuild } from '../../../src/index.ts';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, parseJson, until } from '../../support/stack.ts';
import { cliFixture } from './cli-fixture.ts';
import { exitsWith } from '../../support/exits-with.ts';

describe('role-build start', { concurrency: 4 }, () => {
  const on = cliFixture();
  const { startEndless } = on;

  it('start without --wait prints workflow, job, request and status, as text and as JSON', async () => {
    const { input, started } = await startEndless('start-json');
    assert.deepEqual(Object.keys(started).sort(), ['correlation_id', 'job_id', 'status', 'workflow_id']);
    assert.equal(started.workflow_id, `role-build:${ACCOUNT}:iam_role#start-json`);
    assert.equal(started.status, 'IN_PROGRESS');
    const text = await on.stack.cli(['start', '--input', '-'], {
      stdin: JSON.stringify(inputFor(on.stack, 'start-text', { polls: 0 })),
    });
    assert.match(text.stdout, /^workflow_id +role-build:123456789012:iam_role#start-text\njob_id +\S+\n/);
    await on.stack.cli(['cancel', '--correlation-id', input.correlation_id]);
  });

  it('start says that a build runs for a name that is the same role to IAM, and still starts its own', async () => {
    const { started } = await startEndless('Twin-Role');
    const run = async (name: string, more = {}) => {
      const input = inputFor(on.stack, name, { polls: 0 });
      // It runs to its end here, since it would be such a build itself.
      const { code, stderr } = await on.stack.cli(['start', '--input', '-', '--wait'], {
        stdin: JSON.stringify({ ...input, ...more }),
      });
      assert.equal(code, 0, stderr);
      return stderr;
    };
    const note =
      /^role-build: iam_role#Twin-Role is IN_PROGRESS in this account, job (\S+): IAM ignores .* the same role; /m;
    const noted = await run('twin-role');
    assert.match(noted, note);
    assert.equal(note.exec(noted)?.[1], started.job_id);
    assert.match(await run('twin-ROLE', { ddb_composite_sort_key: 'of-another-name' }), note);
    assert.doesNotMatch(await run('twin-role-2'), /same role/);
    await on.stack.cli(['cancel', '--job-id', started.job_id, '--wait']);
    assert.doesNotMatch(await run('twin-role'), /same role/);
  });

  it("start goes on if it may not query the table, and says what it can't tell", async () => {
    const account_id = '210987654321';
    on.stack.proxy.answer = ({ operation, request }) =>
      operation === 'Query' && JSON.stringify(request).includes(account_id)
        ? {
            status: 400,
            body: { __type: 'com.amazon.coral.service#AccessDeniedException', message: 'no Query for you' },
          }
        : undefined;
    const input = inputFor(on.stack, 'no-query', { polls: 0 });
    const stdin = JSON.stringify({ ...input, build_body: { ...input.build_body, account_id } });
    const { code, stderr } = await on.stack.cli(['start', '--input', '-', '--wait', '--json'], { stdin });
    on.stack.proxy.answer = () => undefined;
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^role-build: could not check for a build of the same role name in another case: DynamoDB denies access: .*no Query/m,
    );
  });

  it('start goes on if DynamoDB does not answer, and says that the worker will look', async () => {
    const account_id = '210987654322';
    on.stack.proxy.decide = ({ operation, request }) =>
      /Query|GetItem/.test(operation) && JSON.stringify(request).includes(account_id) ? 'hang' : undefined;
    const input = inputFor(on.stack, 'no-answer', { polls: 0 });
    const stdin = JSON.stringify({ ...input, build_body: { ...input.build_body, account_id } });
    const { code, stderr } = await on.stack.cli(['start', '--input', '-'], { stdin });
    on.stack.proxy.decide = () => undefined;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^role-build: the records can't be read, so the worker looks .*: no answer within 10 s$/m);
  });

  it('start takes flags and a credential file, and makes a request ID and a trace header', async () => {
    const credential = join(on.folder, 'credential');
    await writeFile(credential, `${CREDENTIAL}\n`);
    const flags = [
      '--account',
      ACCOUNT,
      '--role',
      'by-flags',
      '--action',
      'update',
      '--dry-run',
      '--url',
      on.stack.buildApiUrl,
    ];
    const result = await on.stack.cli([
      'start',
      ...flags,
      '--encrypted-jwt-file',
      credential,
      '--poll-interval-seconds',
      '1',
      '--wait',
      '--json',
    ]);
    assert.equal(result.code, 0, result.stderr);
    const json = parseJson(result);
    assert.equal(json['resource'], 'iam_role#by-flags');
    assert.equal(json['action'], 'update');
    assert.equal(json['dry_run'], true);
    assert.match(json['correlation_id'] as string, /^[0-9a-f-]{36}$/);
    assert.match(json['trace_header'] as string, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$/);
    const [post] = on.stack.buildApi.requests(json['correlation_id'] as string);
    assert.equal(post?.headers.find(([name]) => name.toLowerCase() === 'encrypted-authorization')?.[1], CREDENTIAL);
  });

  it('start takes the credential from stdin or the environment', async () => {
    const flags = (role: string) => [
      'start',
      '--account',
      ACCOUNT,
      '--role',
      role,
      '--url',
      on.stack.buildApiUrl,
      '--json',
    ];
    const fromStdin = await on.stack.cli([...flags('stdin'), '--encrypted-jwt-file', '-'], { stdin: CREDENTIAL });
    assert.equal(fromStdin.code, 0, fromStdin.stderr);
    const fromEnvironment = await on.stack.cli(flags('env'), { settings: { ENCRYPTED_JWT: CREDENTIAL } });
    assert.equal(fromEnvironment.code, 0, fromEnvironment.stderr);
    const without = await on.stack.cli(flags('none'));
    assert.equal(without.code, 2, without.stderr);
    assert.match(without.stderr, /encrypted_jwt: is missing/);
  });

  it('start refuses a credential of more than 16 KiB wherever it comes from, and does not repeat it', async () => {
    const flags = ['start', '--account', ACCOUNT, '--role', 'long', '--url', on.stack.buildApiUrl, '--json'];
    const long = 'long-credential-'.repeat(1_025);
    const inInput = JSON.stringify({ ...inputFor(on.stack, 'long'), encrypted_jwt: long });
    for (const [args, options] of [
      [[...flags, '--encrypted-jwt-file', '-'], { stdin: long }],
      [flags, { settings: { ENCRYPTED_JWT: long } }],
      [['start', '--input', '-', '--json'], { stdin: inInput }],
    ] as const) {
      const { code, stdout, stderr } = await on.stack.cli(args, options);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /encrypted_jwt: must be at most 16384 characters/);
      assert.ok(!`${stdout}${stderr}`.includes('long-credential-'));
    }
  });

  it('start refuses a bad input with every fault and its path, exit code 2, and nothing written', async () => {
    const input = {
      ...inputFor(on.stack, 'bad'),
      url: 'ftp://x',
      trace_header: '',
      poll_interval_seconds: 0,
    } as Record<string, unknown>;
    input['build_body'] = { account_id: '12345', build_type: 'iam_role', custom_role_name: 'no spaces', dry_run: 'no' };
    const callsBefore = on.stack.proxy.calls.length;
    const { code, stdout, stderr } = await on.stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify(input),
    });
    assert.equal(code, 2, stderr);
    const { faults } = JSON.parse(stdout) as { faults: { path: string }[] };
    assert.deepEqual(faults.map(({ path }) => path).sort(), [
      'build_body.account_id',
      'build_body.action',
      'build_body.custom_role_name',
      'build_body.dry_run',
      'poll_interval_seconds',
      'trace_header',
      'url',
    ]);
    for (const { path } of faults) assert.ok(stderr.includes(path));
    assert.equal(
      on.stack.proxy.calls.slice(callsBefore).filter((call) => JSON.stringify(call.request).includes('#bad"')).length,
      0,
    );
  });

  it('start refuses what is not JSON without repeating it', async () => {
    const { code, stderr } = await on.stack.cli(['start', '--input', '-'], {
      stdin: `{"encrypted_jwt": "${CREDENTIAL}" oops`,
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /stdin is not JSON/);
    assert.ok(!stderr.includes(CREDENTIAL));
  });

  it('a URL outside the allowed origins is refused by the worker, with nothing written', async () => {
    const input = inputFor(on.stack, 'evil', {}, { url: 'http://127.0.0.1:9' });
    const { code, json, stderr } = await on.stack.build(input);
    assert.equal(code, 1, stderr);
    assert.equal(json['status'], 'FAILED');
    assert.match(JSON.stringify(json['error_info']), /InvalidInput.*BUILD_API_ALLOWED_ORIGINS/);
    assert.deepEqual(await on.stack.records(input), { status: undefined, history: undefined });
  });

  it('a second start for the same resource is refused with exit code 3 and names the running job', async () => {
    const { input, started } = await startEndless('busy');
    const again = await on.stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify({ ...input, correlation_id: 'other' }),
    });
    assert.equal(again.code, 3, again.stderr);
    assert.equal(parseJson(again)['job_id'], started.job_id);
    assert.ok(again.stderr.includes(started.job_id));
    await on.stack.cli(['cancel', '--job-id', started.job_id]);
  });

  it('start --attach joins a running build of the same build_body, and is refused for another', async () => {
    const { input, started: first } = await startEndless('joined');
    const same = { ...input, correlation_id: 'another-request' };
    const joined = await on.stack.cli(['start', '--input', '-', '--attach', '--json'], { stdin: JSON.stringify(same) });
    assert.equal(joined.code, 0, joined.stderr);
    assert.deepEqual(parseJson(joined), { ...first, attached: true });
    const other = { ...input, build_body: { ...input.build_body, dry_run: true } };
    const refused = await on.stack.cli(['start', '--input', '-', '--attach', '--json'], {
      stdin: JSON.stringify(other),
    });
    assert.equal(refused.code, 3, refused.stderr);
    assert.match(refused.stderr, /build_body is not the same/);
    const followed = await on.stack.cli(['start', '--input', '-', '--attach', '--wait', '--json'], {
      stdin: JSON.stringify(same),
      onStderr: () => letSucceed(on.stack, input),
    });
    assert.equal(followed.code, 0, followed.stderr);
    assert.equal(parseJson(followed)['job_id'], first.job_id);
    assert.equal(on.stack.buildApi.requests('another-request').length, 0);
  });

  it('start --wait says once that it started the job, and each step once', async () => {
    const stdin = JSON.stringify(inputFor(on.stack, 'said-once', { polls: 0 }));
    const { code, stderr } = await on.stack.cli(['start', '--input', '-', '--wait'], { stdin });
    assert.equal(code, 0, stderr);
    assert.equal(stderr.match(/started/g)?.length, 1, stderr);
    const lines = stderr.trimEnd().split('\n');
    assert.deepEqual(lines, [...new Set(lines)]);
  });

  it('a hundred racing starts give exactly one build', async () => {
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const client = new Client({ namespace: on.stack.temporal.namespace, connection });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        startRoleBuild(client, inputFor(on.stack, 'raced', { outcome: 'NEVER' }, { correlation_id: `raced-${i}` })),
      ),
    );
    const started = results.filter((result) => result.status === 'fulfilled');
    assert.equal(started.length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.ok(result.reason instanceof BuildInProgressError, String(result.reason));
    }
    const postsOfRole = () => on.stack.buildApi.requests().filter((request) => request.body.includes('"raced"'));
    await until('it was triggered', () => postsOfRole().length > 0);
    await exitsWith(0, on.stack.cli(['cancel', ACCOUNT, 'iam_role#raced', '--wait']));
    const posts = postsOfRole();
    assert.equal(posts.length, 1);
    await connection.close();
  });

  it("the state machine's example input is taken as it is", async () => {
    const example = JSON.parse(await readFile(new URL('../../fixtures/input.json', import.meta.url), 'utf8')) as {
      url: string;
    };
    const result = await on.stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify({ ...example, url: on.stack.buildApiUrl }),
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(parseJson(result)['correlation_id'], '0b0e1f9e-6c39-4a4c-9a55-6f6d3c1a7a10');
  });
});
