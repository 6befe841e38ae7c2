/** How every command treats a build whose workflow is paused: the workflow is open, so the build runs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { findTemporalCli } from '../../dev/servers/temporal-binaries.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { readMetrics } from '../support/metrics-page.ts';
import { ACCOUNT, inputFor, parseJson, startTestStack, until, type TestStack } from '../support/stack.ts';

const RESOURCE = 'iam_role#paused';
const UNPAUSE = `temporal workflow unpause --workflow-id 'role-build:${ACCOUNT}:${RESOURCE}'`;

describe('a build whose activity is paused', () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  it('a build whose activity is paused is shown by status as paused, with who paused it and the command that unpauses it', async () => {
    const { address, namespace } = stack.temporal;
    const at = ['--address', address, '--namespace', namespace];
    const temporal = async (...args: string[]) => promisify(execFile)(await findTemporalCli(), [...args, ...at]);
    const input = inputFor(stack, 'paused-activity', { polls: 0, trigger: [{ status: 503 }] });
    await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    await until('its POST was refused', () => stack.buildApi.requests(input.correlation_id).length >= 1);
    const workflow = ['--workflow-id', `role-build:${ACCOUNT}:${input.ddb_composite_sort_key}`];
    const pending = async () => {
      const view = parseJson(await stack.cli(['status', ACCOUNT, input.ddb_composite_sort_key, '--json']));
      return view as { paused_activity?: { activity_id: string; paused_by: string }; next_command: string };
    };
    await temporal('activity', 'pause', ...workflow, '--activity-id', '3', '--identity', 'an operator');
    const { paused_activity, next_command } = await pending();
    assert.deepEqual(paused_activity, { activity_id: '3', paused_by: 'an operator' });
    const { stdout } = await stack.cli(['status', ACCOUNT, input.ddb_composite_sort_key]);
    assert.match(stdout, /its activity "3" is paused by "an operator", and no attempt at it is made/);
    assert.match(
      next_command,
      /^temporal activity unpause --workflow-id 'role-build:\d+:iam_role#.*' --activity-id 3$/,
    );
    await temporal('activity', 'unpause', ...workflow, '--activity-id', '3');
    const ended = await stack.cli(['watch', ACCOUNT, input.ddb_composite_sort_key, '--json']);
    assert.equal(ended.code, 0, ended.stderr);
  });
});

/** These run in order: the last two let the build end. */
describe('a build whose workflow is paused', () => {
  let stack: TestStack;
  let folder: string;
  let input: RoleBuildInput;
  let jobId: string;
  let temporal: (...args: string[]) => Promise<unknown>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    stack = await startTestStack({ temporal: { dynamicConfig: { 'frontend.WorkflowPauseEnabled': true } } });
    await stack.startWorker();
    const cli = await findTemporalCli();
    temporal = (...args) => promisify(execFile)(cli, [...args, '--address', stack.temporal.address]);
    input = inputFor(stack, 'paused', { outcome: 'NEVER' });
    jobId = String(parseJson(await start(input))['job_id']);
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).length >= 2);
    await temporal('workflow', 'pause', '--workflow-id', `role-build:${ACCOUNT}:${RESOURCE}`);
    await until('visibility knows', async () => (await listed('--query', "ExecutionStatus = 'Paused'")).length === 1);
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  const start = (one: RoleBuildInput, ...flags: string[]) =>
    stack.cli(['start', '--input', '-', '--json', ...flags], { stdin: JSON.stringify(one) });
  async function listed(...filters: string[]): Promise<Record<string, unknown>[]> {
    const { stdout } = await stack.cli(['list', '--json', ...filters]);
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
  const again = () => ({ ...input, correlation_id: 'request-again' });

  it('start reports a build whose workflow is paused as in progress, and names its job', async () => {
    const result = await start(again());
    assert.equal(result.code, 3, result.stderr);
    assert.equal(parseJson(result)['job_id'], jobId);
  });

  it('start --attach joins a build whose workflow is paused', async () => {
    const result = await start(again(), '--attach');
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual([parseJson(result)['job_id'], parseJson(result)['attached']], [jobId, true]);
  });

  it('status shows a build whose workflow is paused as in progress and paused, and says how to unpause it', async () => {
    const { code, stdout, stderr } = await stack.cli(['status', ACCOUNT, RESOURCE, '--json']);
    assert.equal(code, 0, stderr);
    const view = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      [view['status'], view['job_id'], view['execution_status'], view['move'], view['next_command']],
      ['IN_PROGRESS', jobId, 'PAUSED', undefined, UNPAUSE],
    );
    const byRequest = parseJson(await stack.cli(['status', '--correlation-id', input.correlation_id, '--json']));
    assert.equal(byRequest['job_id'], jobId);
  });

  it('list shows a build whose workflow is paused as in progress and paused', async () => {
    for (const filters of [[], ['--status', 'IN_PROGRESS']]) {
      const [build, ...others] = await listed(...filters);
      assert.deepEqual([build?.['job_id'], build?.['status'], others], [jobId, 'IN_PROGRESS', []]);
      assert.equal(build?.['execution_status'], 'PAUSED');
    }
    assert.match((await stack.cli(['list'])).stdout, /IN_PROGRESS \(paused\)/);
  });

  it('resume refuses a build whose workflow is paused, since it is in progress', async () => {
    const result = await stack.cli(['resume', ACCOUNT, RESOURCE, '--json']);
    assert.equal(result.code, 3, result.stderr);
    assert.equal(parseJson(result)['job_id'], jobId);
  });

  it('batch reports a build whose workflow is paused as in progress, and refuses another request for it with its job', async () => {
    const file = join(folder, 'batch.ndjson');
    const [own, other] = [join(folder, 'own.report'), join(folder, 'other.report')];
    for (const [one, report] of [
      [input, own],
      [again(), other],
    ] as const) {
      await writeFile(file, JSON.stringify(one));
      const { code, stderr } = await stack.cli(['batch', file, '--report', report, '--json']);
      assert.equal(code, report === own ? 0 : 1, stderr);
    }
    const line = async (report: string) => JSON.parse(await readFile(report, 'utf8')) as Record<string, string>;
    assert.deepEqual([(await line(own))['status'], (await line(own))['job_id']], ['IN_PROGRESS', jobId]);
    assert.equal((await line(other))['status'], 'REFUSED');
    assert.ok((await line(other))['error']?.includes(jobId));
  });

  it('workers count a build whose workflow is paused as running', async () => {
    const second = await stack.startWorker();
    await until('a new worker has counted', async () => {
      return (await readMetrics(second.metricsUrl)).sum('role_build_in_flight') === 1;
    });
    await second.stop();
  });

  it('doctor leaves a build whose workflow is paused alone', async () => {
    const { code, stdout } = await stack.cli(['doctor', '--json']);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
  });

  it('watch follows a build whose workflow is paused, alone and among others, to its cancelled end after it is unpaused', async () => {
    const told: string[] = [];
    const one = stack.startCli(['watch', ACCOUNT, RESOURCE, '--json'], { onStderr: (text) => told.push(text) });
    let found = false;
    const many = stack.startCli(['watch', '--status', 'IN_PROGRESS', '--json'], { onStdout: () => (found = true) });
    await until('watch says that it is paused', () => told.join('').includes(UNPAUSE));
    await until('the other has found it', () => found);

    const cancelled = await stack.cli(['cancel', ACCOUNT, RESOURCE, '--json']);
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.equal(parseJson(cancelled)['job_id'], jobId);
    assert.ok(cancelled.stderr.includes(UNPAUSE));

    await temporal('workflow', 'unpause', '--workflow-id', `role-build:${ACCOUNT}:${RESOURCE}`);
    for (const { result } of [one, many]) {
      const { code, stdout, stderr } = await result;
      assert.equal(code, 1, stderr);
      const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      assert.deepEqual([last['status'], last['job_id']], ['CANCELLED', jobId]);
    }
    assert.equal((await stack.records(input)).status?.['status']?.S, 'CANCELLED');
  });
});
