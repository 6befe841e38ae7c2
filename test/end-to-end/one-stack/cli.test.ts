/** What the commands do to a build. cli-one-build.test.ts has what they show, cli-alone.test.ts has bad usage. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, until } from '../../support/stack.ts';
import { cliFixture } from './cli-fixture.ts';

describe('role-build', { concurrency: 4 }, () => {
  const on = cliFixture();
  const { statusOf, startEndless } = on;

  it('setup is safe to repeat, and says what existed before', async () => {
    const { code, stdout, stderr } = await on.stack.cli(['setup']);
    assert.equal(code, 0, stderr);
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

  it('cancel and status find a running build by its request ID while DynamoDB is away', async () => {
    const { input, started } = await startEndless('without-dynamodb');
    const settings = { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' };
    const name = ['--correlation-id', input.correlation_id, '--json'];
    await until('Temporal lists it', async () => (await on.stack.cli(['status', ...name], { settings })).code === 0);
    const { code, stdout, stderr } = await on.stack.cli(['cancel', ...name], { settings });
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { job_id: string }).job_id, started.job_id);
    assert.match(stderr, /found by Temporal alone: DynamoDB can't be reached/);
    const never = await on.stack.cli(['status', '--correlation-id', 'never'], { settings });
    assert.equal(never.code, 5, never.stderr);
  });

  it('status of a build that never was exits 4', async () => {
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
    assert.equal(code, 0, stderr);
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
    assert.equal(again.code, 4, again.stderr);
    const shown = await statusOf(ACCOUNT, 'iam_role#cancelled');
    assert.deepEqual([shown.code, shown.json['status']], [0, 'CANCELLED']);
  });

  it('watch exits 1 if the build did not end COMPLETE', async () => {
    await on.stack.build(inputFor(on.stack, 'watched-failed', { polls: 0, outcome: 'FAILED' }));
    const { code, stdout, stderr } = await on.stack.cli(['watch', ACCOUNT, 'iam_role#watched-failed']);
    assert.equal(code, 1, stderr);
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
      assert.equal(watched.code, 0, watched.stderr);
    });
  }

  it('cancel --wait that is interrupted ends with 130, and says that the cancel stays requested', async () => {
    const stdin = JSON.stringify(inputFor(on.stack, 'interrupted-cancel'));
    // No worker takes the build, so it does not end.
    await on.stack.cli(['start', '--input', '-'], { stdin, settings: { ROLE_BUILD_TASK_QUEUE: 'nobody' } });
    let said = '';
    const cli = on.stack.startCli(['cancel', ACCOUNT, 'iam_role#interrupted-cancel', '--wait'], {
      onStderr: (chunk) => (said += chunk),
    });
    await until('it has asked', () => said.includes('cancel requested'));
    cli.kill('SIGINT');
    const { code, stderr } = await cli.result;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /\ninterrupted; the cancel stays requested\n$/);
  });
});
