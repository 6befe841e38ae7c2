/** The metrics page of real workers during real builds. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { METRICS, type MetricName } from '../../src/domain/metrics.ts';
import { exposedName } from '../support/exposed-name.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { hasTimer } from '../faults/truth.ts';
import { metricsOnce, readMetrics, type MetricsPage } from '../support/metrics-page.ts';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, startTestStack, until, type TestStack } from '../support/stack.ts';

describe('metrics', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  it('metrics count builds by outcome and cause, and polls and calls by result, and name nobody', async () => {
    const worker = await stack.startWorker();
    const cancelled = inputFor(stack, 'cancelled', { outcome: 'NEVER' }, { poll_interval_seconds: 60 });
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(cancelled) });
    await until('it is triggered', () => stack.buildApi.requests(cancelled.correlation_id).length >= 1);
    await Promise.all([
      stack.build(inputFor(stack, 'good', { polls: 2, trigger: [{ status: 503 }] })),
      stack.build(inputFor(stack, 'bad', { polls: 0, outcome: 'FAILED' })),
      stack.build(inputFor(stack, 'refused-post', { trigger: [{ status: 403 }] })),
      stack.build({ ...inputFor(stack, 'elsewhere'), url: 'http://127.0.0.1:9' }),
      stack.cli(['cancel', ACCOUNT, 'iam_role#cancelled', '--wait']),
    ]);
    const { sum, samples, text } = await metricsOnce(
      worker.metricsUrl,
      (page) => page.sum('role_build_ended_total') === 5 && page.sum('role_build_duration_seconds_count') === 4,
    );
    const ended = (outcome: string, cause: string) => sum('role_build_ended_total', { outcome, cause });
    assert.equal(ended('COMPLETE', 'none'), 1);
    assert.equal(ended('FAILED', 'BuildFailed'), 1);
    assert.equal(ended('FAILED', 'CustomNonRetryableError'), 1);
    assert.equal(ended('REFUSED', 'InvalidInput'), 1);
    assert.equal(ended('CANCELLED', 'none'), 1);
    assert.equal(sum('role_build_ended_total'), 5);
    assert.equal(ended('FAILED', 'BuildTriggerUnknown'), 0, 'there before the first');
    assert.equal(sum('role_build_duration_seconds_count'), 4);
    assert.equal(sum('role_build_duration_seconds_count', { outcome: 'FAILED' }), 2);
    const seconds = sum('role_build_duration_seconds_sum', { outcome: 'COMPLETE' }) ?? 0;
    assert.ok(seconds > 3 && seconds < 600, `${seconds} s`);
    assert.deepEqual(
      ['undecided', 'succeeded', 'failed'].map((answer) => sum('role_build_polls_total', { answer })),
      [2, 1, 1],
    );
    const calls = (method: string, status: string) =>
      sum('role_build_api_request_duration_seconds_count', { method, status });
    assert.deepEqual([calls('POST', '2xx'), calls('POST', '4xx'), calls('POST', '5xx')], [3, 1, 1]);
    assert.equal(calls('GET', '2xx'), 4);

    const exposed = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
    // Only a worker that has a directory sets it.
    exposed.add('role_build_directory_password_refused');
    for (const name of Object.keys(METRICS) as MetricName[]) assert.ok(exposed.has(exposedName(name)), name);
    for (const secret of [CREDENTIAL, ACCOUNT, 'iam_role', 'good', 'request-'])
      assert.ok(!text.includes(secret), secret);
    assert.ok(
      samples.some(({ name }) => name === 'temporal_worker_task_slots_available'),
      "the SDK's own",
    );
    assert.ok(samples.every(({ name }) => !name.includes('_milliseconds')));
    await worker.stop();
  });

  it('metrics count records that a newer job holds, and calls without an answer, whose series begin with the first such call', async () => {
    const worker = await stack.startWorker();
    const atFirst = await readMetrics(worker.metricsUrl);
    const contested = ({ sum }: MetricsPage) =>
      ['status', 'history'].map((record) => sum('role_build_records_contested_total', { record }));
    const unanswered = ({ sum }: MetricsPage) =>
      sum('role_build_api_request_duration_seconds_count', { method: 'POST', status: 'none' });
    assert.deepEqual(contested(atFirst), [0, 0]);
    assert.equal(atFirst.sum('role_build_polls_total', { answer: 'undecided' }), 0, 'the alerts know workers by it');
    // Prometheus sees no increase, which the alert allows for.
    assert.equal(unanswered(atFirst), undefined);

    const overtaken = inputFor(stack, 'overtaken', { outcome: 'NEVER' });
    const ended = stack.build(overtaken);
    await until('it polls', () => stack.buildApi.requests(overtaken.correlation_id).length >= 2);
    await giveToNewerJob(stack, overtaken);
    letSucceed(stack, overtaken);
    await Promise.all([ended, stack.build(inputFor(stack, 'unanswered', { polls: 0, trigger: [{ drop: 'after' }] }))]);
    await metricsOnce(
      worker.metricsUrl,
      (page) => contested(page).every((count) => count === 1) && unanswered(page) === 1,
    );
    await worker.stop();
  });

  it('metrics count nothing again if another worker replays a build', async () => {
    const first = await stack.startWorker();
    const input = inputFor(stack, 'replayed', { polls: 1 }, { poll_interval_seconds: 15 });
    const ended = stack.build(input);
    // Counted where it is made: one whose answer is not in the history yet is made again, and rightly counted again. So the
    // second is far off when the worker is killed.
    await until('the first poll has its answer in the history', () => hasTimer(stack, input, 2));
    const counted = 1;
    await metricsOnce(first.metricsUrl, ({ sum }) => sum('role_build_polls_total') === counted);
    await first.kill();
    const second = await stack.startWorker();
    assert.equal((await ended).json['polls'], 2);
    const { sum } = await metricsOnce(
      second.metricsUrl,
      (page) => page.sum('role_build_ended_total', { outcome: 'COMPLETE' }) === 1,
    );
    assert.equal((sum('role_build_polls_total') ?? 0) + counted, 2);
    await second.stop();
  });
});

/** As where a build was terminated, asked for again, and is brought back by a reset. */
async function giveToNewerJob(stack: TestStack, input: RoleBuildInput): Promise<void> {
  const client = new DynamoDBClient({
    region: 'us-east-1',
    endpoint: stack.dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const { status, history } = await stack.records(input);
  for (const [TableName, record] of [
    [STATUS_TABLE_NAME, status],
    [HISTORY_TABLE_NAME, history],
  ] as const) {
    const Item = { ...record, job_id: { S: 'newer' }, start_at: { S: new Date().toISOString() } };
    await client.send(new PutItemCommand({ TableName, Item }));
  }
  client.destroy();
}
