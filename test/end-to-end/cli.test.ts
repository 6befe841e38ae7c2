import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { BuildInProgressError, startRoleBuild } from '../../src/index.ts';
import {
  ACCOUNT,
  CREDENTIAL,
  inputFor,
  letSucceed,
  parseJson,
  startTestStack,
  until,
  type TestStack,
} from './harness.ts';

describe('role-build', { concurrency: 4 }, () => {
  let stack: TestStack;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    stack = await startTestStack();
    await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  const statusOf = async (...args: string[]) => {
    const result = await stack.cli(['status', ...args, '--json']);
    return { code: result.code, json: parseJson(result) };
  };
  /** Starts a build that never ends by itself and waits until it has polled. */
  const startEndless = async (name: string) => {
    const input = inputFor(stack, name, { outcome: 'NEVER' });
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    assert.equal(started.code, 0, started.stderr);
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).length >= 2);
    return { input, started: parseJson(started) as { workflow_id: string; job_id: string; status: string } };
  };

  it('setup is safe to repeat and says what was there', async () => {
    const { code, stdout } = await stack.cli(['setup']);
    assert.equal(code, 0);
    assert.match(stdout, /table iam_orchestrator_execution_status: was there/);
    assert.match(stdout, /search attribute DryRun: was there/);
  });

  it('start without --wait prints workflow, job, request and status, as text and as JSON', async () => {
    const { input, started } = await startEndless('start-json');
    assert.deepEqual(Object.keys(started).sort(), ['correlation_id', 'job_id', 'status', 'workflow_id']);
    assert.equal(started.workflow_id, `role-build:${ACCOUNT}:iam_role#start-json`);
    assert.equal(started.status, 'IN_PROGRESS');
    const text = await stack.cli(['start', '--input', '-'], {
      stdin: JSON.stringify(inputFor(stack, 'start-text', { polls: 0 })),
    });
    assert.match(text.stdout, /^workflow_id +role-build:123456789012:iam_role#start-text\njob_id +\S+\n/);
    await stack.cli(['cancel', '--correlation-id', input.correlation_id]);
  });

  it('start takes flags, the credential from a file, and makes a request ID and a trace header', async () => {
    const credential = join(folder, 'credential');
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
      stack.buildApiUrl,
    ];
    const result = await stack.cli([
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
    const [post] = stack.buildApi.requests(json['correlation_id'] as string);
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
      stack.buildApiUrl,
      '--json',
    ];
    const fromStdin = await stack.cli([...flags('stdin'), '--encrypted-jwt-file', '-'], { stdin: CREDENTIAL });
    assert.equal(fromStdin.code, 0, fromStdin.stderr);
    const fromEnvironment = await stack.cli(flags('env'), { settings: { ENCRYPTED_JWT: CREDENTIAL } });
    assert.equal(fromEnvironment.code, 0, fromEnvironment.stderr);
    const without = await stack.cli(flags('none'));
    assert.equal(without.code, 2);
    assert.match(without.stderr, /encrypted_jwt: is missing/);
  });

  it('start refuses a bad input with every fault and its path, exit code 2, and nothing written', async () => {
    const input = { ...inputFor(stack, 'bad'), url: 'ftp://x', trace_header: '', poll_interval_seconds: 0 } as Record<
      string,
      unknown
    >;
    input['build_body'] = { account_id: '12345', build_type: 'iam_role', custom_role_name: 'no spaces', dry_run: 'no' };
    const callsBefore = stack.proxy.calls.length;
    const { code, stdout, stderr } = await stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify(input),
    });
    assert.equal(code, 2);
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
      stack.proxy.calls.slice(callsBefore).filter((call) => JSON.stringify(call.request).includes('#bad"')).length,
      0,
    );
  });

  it('start refuses what is not JSON without repeating it', async () => {
    const { code, stderr } = await stack.cli(['start', '--input', '-'], {
      stdin: `{"encrypted_jwt": "${CREDENTIAL}" oops`,
    });
    assert.equal(code, 2);
    assert.match(stderr, /stdin is not JSON/);
    assert.ok(!stderr.includes(CREDENTIAL));
  });

  it('a URL outside the allowed origins is refused by the worker, with nothing written', async () => {
    const input = inputFor(stack, 'evil', {}, { url: 'http://127.0.0.1:9' });
    const { code, json } = await stack.build(input);
    assert.equal(code, 1);
    assert.equal(json['status'], 'FAILED');
    assert.match(JSON.stringify(json['error_info']), /InvalidInput.*BUILD_API_ALLOWED_ORIGINS/);
    assert.deepEqual(await stack.records(input), { status: undefined, history: undefined });
  });

  it('a second start for the same resource is refused with exit code 3 and names the running job', async () => {
    const { input, started } = await startEndless('busy');
    const again = await stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify({ ...input, correlation_id: 'other' }),
    });
    assert.equal(again.code, 3);
    assert.equal(parseJson(again)['job_id'], started.job_id);
    assert.ok(again.stderr.includes(started.job_id));
    await stack.cli(['cancel', '--job-id', started.job_id]);
  });

  it('start --attach joins a running build of the same build_body, and is refused for another', async () => {
    const { input, started: first } = await startEndless('joined');
    const same = { ...input, correlation_id: 'another-request' };
    const joined = await stack.cli(['start', '--input', '-', '--attach', '--json'], { stdin: JSON.stringify(same) });
    assert.equal(joined.code, 0, joined.stderr);
    assert.deepEqual(parseJson(joined), { ...first, attached: true });
    const other = { ...input, build_body: { ...input.build_body, dry_run: true } };
    const refused = await stack.cli(['start', '--input', '-', '--attach', '--json'], { stdin: JSON.stringify(other) });
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /build_body is not the same/);
    const followed = await stack.cli(['start', '--input', '-', '--attach', '--wait', '--json'], {
      stdin: JSON.stringify(same),
      onStderr: () => letSucceed(stack, input),
    });
    assert.equal(followed.code, 0, followed.stderr);
    assert.equal(parseJson(followed)['job_id'], first.job_id);
    assert.equal(stack.buildApi.requests('another-request').length, 0);
  });

  it('hundreds of racing starts give exactly one build', async () => {
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ connection });
    const results = await Promise.allSettled(
      Array.from({ length: 300 }, (_, i) =>
        startRoleBuild(client, inputFor(stack, 'raced', { polls: 2 }, { correlation_id: `raced-${i}` })),
      ),
    );
    const started = results.filter((result) => result.status === 'fulfilled');
    assert.equal(started.length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.ok(result.reason instanceof BuildInProgressError, String(result.reason));
    }
    assert.equal((await stack.cli(['watch', ACCOUNT, 'iam_role#raced'])).code, 0);
    const posts = stack.buildApi.requests().filter((request) => request.body.includes('"raced"'));
    assert.equal(posts.length, 1);
    await connection.close();
  });

  it('status finds a running build by every name, and a running build outranks the record', async () => {
    const { input, started } = await startEndless('named');
    for (const name of [
      [ACCOUNT, 'iam_role#named'],
      ['--correlation-id', input.correlation_id],
      ['--job-id', started.job_id],
      ['--workflow-id', started.workflow_id],
    ]) {
      await until(`status ${name[0]} finds it`, async () => (await statusOf(...name)).code === 0);
      const { json } = await statusOf(...name);
      assert.equal(json['status'], 'IN_PROGRESS');
      assert.equal(json['job_id'], started.job_id);
      for (const key of [
        'account_id',
        'resource',
        'build_type',
        'action',
        'custom_role_name',
        'dry_run',
        'start_at',
        'correlation_id',
        'trace_header',
        'build_id',
      ]) {
        assert.notEqual(json[key], undefined, key);
      }
      assert.ok(!JSON.stringify(json).includes(CREDENTIAL));
    }
    await stack.cli(['cancel', ACCOUNT, 'iam_role#named']);
  });

  it('status of what was never built is exit code 4', async () => {
    for (const args of [
      [ACCOUNT, 'iam_role#never'],
      ['--correlation-id', 'never'],
      ['--job-id', 'never'],
      ['--workflow-id', 'never'],
    ]) {
      const { code, stdout, stderr } = await stack.cli(['status', ...args, '--json']);
      assert.equal(code, 4, `${args.join(' ')}: ${stdout}${stderr}`);
    }
  });

  it('cancel --wait ends a build CANCELLED in both records, keeps its build ID and says that the API may go on', async () => {
    const { input } = await startEndless('cancelled');
    const { code, stdout, stderr } = await stack.cli(['cancel', ACCOUNT, 'iam_role#cancelled', '--wait', '--json']);
    assert.equal(code, 0);
    assert.match(stderr, /may go on/);
    assert.equal((JSON.parse(stdout) as { status: string }).status, 'CANCELLED');
    const polls = stack.buildApi.requests(input.correlation_id).length;
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'CANCELLED');
      assert.ok(record?.['build_id']?.S);
    }
    assert.equal(stack.buildApi.requests(input.correlation_id).length, polls);
    assert.match(history?.['cancelled_by']?.S ?? '', /^\S+@\S+$/);
    const again = await stack.cli(['cancel', ACCOUNT, 'iam_role#cancelled']);
    assert.equal(again.code, 4);
    const shown = await statusOf(ACCOUNT, 'iam_role#cancelled');
    assert.equal(shown.code, 0);
    assert.equal(shown.json['status'], 'CANCELLED');
  });

  it('a deadline ends a build FAILED, BuildDeadlineExceeded, with no poll after it', async () => {
    const input = inputFor(stack, 'late', { outcome: 'NEVER' }, { deadline_seconds: 3 });
    const { code, json } = await stack.build(input);
    assert.equal(code, 1);
    assert.equal((json['error_info'] as { Error: string }).Error, 'BuildDeadlineExceeded');
    const deadline = Date.parse(json['start_at'] as string) + 3_000;
    for (const request of stack.buildApi.requests(input.correlation_id)) assert.ok(request.at <= deadline + 100);
    assert.ok((await stack.records(input)).history?.['build_id']?.S);
  });

  it('watch follows a running build to its end, a JSON document a line', async () => {
    const { input } = await startEndless('watched');
    let changes = 0;
    const { code, stdout } = await stack.cli(['watch', ACCOUNT, 'iam_role#watched', '--json'], {
      onStdout() {
        changes += 1;
        if (changes === 3) letSucceed(stack, input);
      },
    });
    assert.equal(code, 0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(lines.length > 3);
    assert.equal(lines.at(-1)?.['status'], 'COMPLETE');
    assert.equal((await stack.cli(['watch', ACCOUNT, 'iam_role#watched'])).code, 0);
  });

  it('watch ends with 1 where the build ended otherwise', async () => {
    await stack.build(inputFor(stack, 'watched-failed', { polls: 0, outcome: 'FAILED' }));
    const { code, stdout } = await stack.cli(['watch', ACCOUNT, 'iam_role#watched-failed']);
    assert.equal(code, 1);
    assert.match(stdout, /BuildFailed/);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`start --wait interrupted by ${signal} ends with 130, and the build goes on`, async () => {
      const name = `interrupted-${signal}`;
      const input = inputFor(stack, name, { polls: 3 });
      const cli = stack.startCli(['start', '--input', '-', '--wait'], { stdin: JSON.stringify(input) });
      await until('it polls', () => stack.buildApi.requests(input.correlation_id).length >= 2);
      cli.kill(signal);
      const { code, stderr } = await cli.result;
      assert.equal(code, 130, stderr);
      assert.match(stderr, /the build goes on/);
      const watched = await stack.cli(['watch', ACCOUNT, `iam_role#${name}`]);
      assert.equal(watched.code, 0);
    });
  }

  it('ends with 5 where a service can not be reached, and says which', async () => {
    const temporal = await stack.cli(['status', ACCOUNT, 'x', '--json'], {
      settings: { TEMPORAL_ADDRESS: '127.0.0.1:9' },
    });
    assert.equal(temporal.code, 5);
    assert.match(temporal.stderr, /Temporal can't be reached at 127\.0\.0\.1:9/);
    assert.equal(parseJson(temporal)['error'], 'unreachable');
    const dynamoDb = await stack.cli(['status', ACCOUNT, 'x'], {
      settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' },
    });
    assert.equal(dynamoDb.code, 5);
    assert.match(dynamoDb.stderr, /DynamoDB/);
  });

  it('bad usage ends with 2 and suggests what was meant', async () => {
    for (const [args, hint] of [
      [['strat'], /Did you mean start\?/],
      [['start', '--wiat'], /Did you mean --wait\?/],
      [['status'], /ACCOUNT RESOURCE/],
      [['status', ACCOUNT], /ACCOUNT RESOURCE/],
      [['status', 'x', 'y'], /12 digits/],
      [['cancel', ACCOUNT, 'x', '--job-id', 'y'], /one build/],
      [['start', '--input', '/nowhere'], /can't be read/],
      [['start', '--input', '-', '--role', 'x'], /--role: not together with --input/],
      [['start', '--deadline-seconds', 'soon'], /whole number of seconds/],
    ] as const) {
      const { code, stderr, stdout } = await stack.cli(args);
      assert.equal(code, 2, `${args.join(' ')}: ${stdout}${stderr}`);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  });

  it('each command has help with an example', async () => {
    const { code, stdout } = await stack.cli(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Exit codes:/);
    for (const command of ['setup', 'start', 'status', 'watch', 'cancel', 'doctor']) {
      const help = await stack.cli([command, '--help']);
      assert.equal(help.code, 0);
      assert.match(help.stdout, new RegExp(`Example:\\n.*role-build ${command}`));
    }
  });

  it('the original example input is taken as it is', async () => {
    const example = JSON.parse(await readFile(new URL('../fixtures/input.json', import.meta.url), 'utf8')) as {
      url: string;
    };
    const result = await stack.cli(['start', '--input', '-', '--json'], {
      stdin: JSON.stringify({ ...example, url: stack.buildApiUrl }),
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(parseJson(result)['correlation_id'], '0b0e1f9e-6c39-4a4c-9a55-6f6d3c1a7a10');
  });
});
