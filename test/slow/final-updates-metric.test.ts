/** The metric of final record updates that wait, which workers read from Temporal every 30 s. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { withClient } from '../faults/truth.ts';
import { metricsOnce, readMetrics } from '../support/metrics-page.ts';
import { ACCOUNT, inputFor, parseJson, startTestStack, until } from '../support/stack.ts';

it("every worker's metrics show the same number of waiting final record updates, also those of a worker that has just started", async (t) => {
  const stack = await startTestStack();
  t.after(() => stack.stop());
  const first = await stack.startWorker();
  const input = inputFor(stack, 'waiting', { polls: 0 });
  let broken = true;
  stack.proxy.decide = ({ operation, request }) =>
    broken && operation === 'UpdateItem' && request.TableName === STATUS_TABLE_NAME ? 'throttle' : undefined;
  const ended = stack.build(input);
  const isShown = () =>
    withClient(stack, async ({ workflow }) => {
      const { count } = await workflow.count("ExecutionStatus = 'Running' AND BuildStatus = 'COMPLETE'");
      return count === 1;
    });
  await until('Temporal knows that its records are not right yet', isShown);
  await metricsOnce(first.metricsUrl, ({ sum }) => sum('role_build_last_write_rounds_failed_total') === 1);
  const waiting = async (metricsUrl: string) => (await readMetrics(metricsUrl)).sum('role_build_last_writes_waiting');
  const second = await stack.startWorker();
  await until('a new worker tells', async () => (await waiting(second.metricsUrl)) === 1);
  await until('the one before tells', async () => (await waiting(first.metricsUrl)) === 1);
  const listed = async (status: string) => {
    const { stdout } = await stack.cli(['list', '--status', status, '--json']);
    return stdout.includes(input.correlation_id);
  };
  assert.deepEqual([await listed('IN_PROGRESS'), await listed('COMPLETE')], [true, false]);
  await first.kill();
  broken = false;
  assert.equal((await ended).json['status'], 'COMPLETE');
  await until('none waits any more', async () => (await waiting(second.metricsUrl)) === 0);
  assert.equal(parseJson(await stack.cli(['status', ACCOUNT, 'iam_role#waiting', '--json']))['status'], 'COMPLETE');
  await second.stop();
});
