/** A job that goes on in a later run: after continue-as-new or a reset. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type { StackWorker } from '../../dev/stack.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { FORGETS_AT_ONCE } from '../support/shared-temporal.ts';
import { ACCOUNT, inputFor, letSucceed, parseJson, startTestStack, until, type TestStack } from '../support/stack.ts';

/** These run in order: the last one stops the worker. */
describe('a job that goes on in a later run', () => {
  let stack: TestStack;
  let worker: StackWorker;
  let connection: Connection;
  let client: Client;

  before(async () => {
    const dynamicConfig = { 'limit.historyCount.suggestContinueAsNew': 40, ...FORGETS_AT_ONCE };
    stack = await startTestStack({ temporal: { dynamicConfig } });
    worker = await stack.startWorker();
    connection = await Connection.connect({ address: stack.temporal.address });
    client = new Client({ connection, namespace: stack.temporal.namespace });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
  });

  const executionOf = (input: RoleBuildInput, runId?: string) =>
    client.workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key), runId);

  async function startContinued(name: string) {
    const input = inputFor(stack, name, { outcome: 'NEVER' });
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    const jobId = String(parseJson(started)['job_id']);
    await until('it has continued as new', async () => (await executionOf(input).describe()).runId !== jobId);
    return { input, jobId };
  }

  /** Resets its last run to a workflow task: the first one, or the one that made the first poll. */
  async function reset(input: RoleBuildInput, from: 'start' | 'poll'): Promise<void> {
    const { workflowId, runId } = await executionOf(input).describe();
    const { events } = await executionOf(input).fetchHistory();
    const waited = from === 'start' ? 0 : (events ?? []).findIndex((event) => event.timerFiredEventAttributes);
    const task = (events ?? []).slice(waited).find((event) => event.workflowTaskCompletedEventAttributes);
    await client.workflowService.resetWorkflowExecution({
      namespace: stack.temporal.namespace,
      workflowExecution: { workflowId, runId },
      workflowTaskFinishEventId: task?.eventId ?? null,
      requestId: randomUUID(),
    });
  }

  /** Starts `watch` and cancels the build once `watch` shows it. */
  async function watchAndCancel({ ddb_composite_sort_key: resource }: RoleBuildInput) {
    const shown = Promise.withResolvers<void>();
    const watching = stack.cli(['watch', ACCOUNT, resource, '--json'], { onStdout: () => shown.resolve() });
    await Promise.race([shown.promise, watching]);
    const cancel = await stack.cli(['cancel', ACCOUNT, resource, '--wait', '--json']);
    const watch = await watching;
    const watched = JSON.parse(watch.stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    return { cancel, cancelled: parseJson(cancel)['status'], watch, watched: watched['status'] };
  }

  it('a job that goes on in a later run can be joined, watched and cancelled when Temporal no longer has its first run', async () => {
    const { input, jobId } = await startContinued('forgotten');
    const { workflowId } = await executionOf(input).describe();
    const workflowExecution = { workflowId, runId: jobId };
    await client.workflowService.deleteWorkflowExecution({ namespace: stack.temporal.namespace, workflowExecution });
    const isForgotten = () =>
      executionOf(input, jobId)
        .describe()
        .then(
          () => false,
          () => true,
        );
    await until('its first run is deleted', isForgotten);

    const again = JSON.stringify({ ...input, correlation_id: 'request-again' });
    const joined = await stack.cli(['start', '--input', '-', '--attach', '--json'], { stdin: again });
    assert.equal(joined.code, 0, joined.stderr);
    assert.equal(parseJson(joined)['job_id'], jobId);

    const { cancel, cancelled, watch, watched } = await watchAndCancel(input);
    assert.deepEqual([cancel.code, cancelled], [0, 'CANCELLED'], cancel.stderr);
    assert.deepEqual([watch.code, watched], [1, 'CANCELLED'], watch.stderr);
  });

  it('a job that was reset after its end is followed to its new end', async () => {
    const input = inputFor(stack, 'reset', { outcome: 'NEVER', status: [{ status: 404 }] });
    assert.equal((await stack.build(input)).json['status'], 'FAILED');
    await reset(input, 'poll');
    const { cancel, cancelled, watch, watched } = await watchAndCancel(input);
    assert.deepEqual([cancel.code, cancelled], [0, 'CANCELLED'], cancel.stderr);
    assert.deepEqual([watch.code, watched], [1, 'CANCELLED'], watch.stderr);
  });

  it('a job that was reset and had already ended is shown with the end in its record', async () => {
    const input = inputFor(stack, 'complete', { polls: 0 });
    const { json } = await stack.build(input);
    await reset(input, 'start');
    await until('its later run has ended', async () => (await executionOf(input).describe()).status.name === 'FAILED');
    for (const command of ['status', 'watch']) {
      const view = parseJson(await stack.cli([command, ACCOUNT, input.ddb_composite_sort_key, '--json']));
      assert.deepEqual([view['job_id'], view['status']], [json['job_id'], 'COMPLETE']);
      assert.equal(view['error_info'], undefined);
    }
  });

  it('a job that goes on in a later run waits for a worker if there is none, and status says so', async () => {
    const { input } = await startContinued('untaken');
    await worker.stop();
    let said = '';
    const watching = stack.cli(['watch', ACCOUNT, input.ddb_composite_sort_key], {
      onStderr: (text) => (said += text),
    });
    await until('it says so', () => said.includes('no worker takes its workflow task'));
    letSucceed(stack, input);
    worker = await stack.startWorker();
    assert.equal((await watching).code, 0);
  });
});
