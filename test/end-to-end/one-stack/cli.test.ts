/** Every command but `start`, which has a file of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, parseJson, until } from '../../support/stack.ts';
import { cliFixture } from './cli-fixture.ts';

describe('role-build', { concurrency: 4 }, () => {
  const on = cliFixture();
  const { statusOf, startEndless } = on;

  it('setup is safe to repeat and says what was there', async () => {
    const { code, stdout } = await on.stack.cli(['setup']);
    assert.equal(code, 0);
    assert.match(stdout, /table iam_orchestrator_execution_status: was there/);
    assert.match(stdout, /search attribute DryRun: was there/);
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
    await on.stack.cli(['cancel', ACCOUNT, 'iam_role#named']);
  });

  it('status of what was never built is exit code 4', async () => {
    for (const args of [
      [ACCOUNT, 'iam_role#never'],
      ['--correlation-id', 'never'],
      ['--job-id', 'never'],
      ['--workflow-id', 'never'],
    ]) {
      const { code, stdout, stderr } = await on.stack.cli(['status', ...args, '--json']);
      assert.equal(code, 4, `${args.join(' ')}: ${stdout}${stderr}`);
    }
  });

  it('cancel --wait ends a build CANCELLED in both records, keeps its build ID and says that the API may go on', async () => {
    const { input } = await startEndless('cancelled');
    const { code, stdout, stderr } = await on.stack.cli(['cancel', ACCOUNT, 'iam_role#cancelled', '--wait', '--json']);
    assert.equal(code, 0);
    assert.match(stderr, /may go on/);
    assert.equal((JSON.parse(stdout) as { status: string }).status, 'CANCELLED');
    const polls = on.stack.buildApi.requests(input.correlation_id).length;
    const { status, history } = await on.stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'CANCELLED');
      assert.ok(record?.['build_id']?.S);
    }
    assert.equal(on.stack.buildApi.requests(input.correlation_id).length, polls);
    assert.match(history?.['cancelled_by']?.S ?? '', /^\S+@\S+$/);
    const again = await on.stack.cli(['cancel', ACCOUNT, 'iam_role#cancelled']);
    assert.equal(again.code, 4);
    const shown = await statusOf(ACCOUNT, 'iam_role#cancelled');
    assert.equal(shown.code, 0);
    assert.equal(shown.json['status'], 'CANCELLED');
  });

  it('watch follows a running build to its end, a JSON document a line', async () => {
    const { input } = await startEndless('watched');
    let changes = 0;
    const { code, stdout } = await on.stack.cli(['watch', ACCOUNT, 'iam_role#watched', '--json'], {
      onStdout() {
        changes += 1;
        if (changes === 3) letSucceed(on.stack, input);
      },
    });
    assert.equal(code, 0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(lines.length > 3);
    assert.equal(lines.at(-1)?.['status'], 'COMPLETE');
    assert.equal((await on.stack.cli(['watch', ACCOUNT, 'iam_role#watched'])).code, 0);
  });

  it('watch ends with 1 if the build ended otherwise', async () => {
    await on.stack.build(inputFor(on.stack, 'watched-failed', { polls: 0, outcome: 'FAILED' }));
    const { code, stdout } = await on.stack.cli(['watch', ACCOUNT, 'iam_role#watched-failed']);
    assert.equal(code, 1);
    assert.match(stdout, /BuildFailed/);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`start --wait interrupted by ${signal} ends with 130, and the build goes on`, async () => {
      const name = `interrupted-${signal}`;
      const input = inputFor(on.stack, name, { outcome: 'NEVER' });
      const cli = on.stack.startCli(['start', '--input', '-', '--wait'], { stdin: JSON.stringify(input) });
      await until('it polls', () => on.stack.buildApi.requests(input.correlation_id).length >= 2);
      cli.kill(signal);
      const { code, stderr } = await cli.result;
      assert.equal(code, 130, stderr);
      assert.match(stderr, /the build goes on/);
      letSucceed(on.stack, input);
      const watched = await on.stack.cli(['watch', ACCOUNT, `iam_role#${name}`]);
      assert.equal(watched.code, 0);
    });
  }

  it('ends with 5 if a service can not be reached, and says which', async () => {
    const temporal = await on.stack.cli(['status', ACCOUNT, 'x', '--json'], {
      settings: { TEMPORAL_ADDRESS: '127.0.0.1:9' },
    });
    assert.equal(temporal.code, 5);
    assert.match(temporal.stderr, /Temporal can't be reached at 127\.0\.0\.1:9/);
    assert.equal(parseJson(temporal)['error'], 'unreachable');
    const dynamoDb = await on.stack.cli(['status', ACCOUNT, 'x'], {
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
      [['start', '--input', '-', '--role', 'x'], /--role: can't be given together with --input/],
      [['start', '--deadline-seconds', 'soon'], /whole number of seconds/],
    ] as const) {
      const { code, stderr, stdout } = await on.stack.cli(args);
      assert.equal(code, 2, `${args.join(' ')}: ${stdout}${stderr}`);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  });

  it('each command has help with an example', async () => {
    const { code, stdout } = await on.stack.cli(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Exit codes:/);
    for (const command of ['setup', 'start', 'status', 'watch', 'cancel', 'doctor']) {
      const help = await on.stack.cli([command, '--help']);
      assert.equal(help.code, 0);
      assert.match(help.stdout, new RegExp(`Example:\\n.*role-build ${command}`));
    }
  });
});
