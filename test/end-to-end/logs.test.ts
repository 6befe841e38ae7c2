/** What a worker logs about builds. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Connection, WorkflowClient } from '@temporalio/client';
import { workflowIdOf } from '../../src/contract.ts';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, startTestStack, until, type TestStack } from '../support/stack.ts';

type Line = Record<string, unknown>;

/** Returns the log lines about a build. */
const about = (output: string, correlationId: string): Line[] =>
  output
    .split('\n')
    .filter((line) => line.includes(correlationId))
    .map((line) => JSON.parse(line) as Line);

describe("the worker's log", () => {
  let stack: TestStack;
  let workflow: WorkflowClient;

  before(async () => {
    stack = await startTestStack();
    workflow = new WorkflowClient({
      namespace: stack.temporal.namespace,
      connection: await Connection.connect({ address: stack.temporal.address }),
    });
  });
  after(async () => {
    await workflow.connection.close();
    await stack.stop();
  });

  it("the worker's log has a line for each event, with the build, its step and the attempt", async () => {
    let output = '';
    const worker = await stack.startWorker({ onOutput: (chunk) => (output += chunk) });
    const input = inputFor(stack, 'logged', { polls: 1, outcome: 'FAILED', trigger: [{ status: 503 }] });
    const { json } = await stack.build(input);
    await worker.stop();
    const lines = about(output, input.correlation_id);
    const ids = {
      correlation_id: input.correlation_id,
      job_id: json['job_id'],
      account_id: ACCOUNT,
      resource: input.ddb_composite_sort_key,
    };
    for (const line of lines) assert.deepEqual({ ...line, ...ids }, line);
    assert.deepEqual(
      lines.map(({ level, msg, step, attempt }) => [level, msg, step, attempt]),
      [
        ['info', 'UpsertRequestRecord', 'UpsertRequestRecord', undefined],
        ['info', 'InsertRequestHistory', 'InsertRequestHistory', undefined],
        ['info', 'TriggerBuild', 'TriggerBuild', undefined],
        ['warn', 'Activity failed', 'TriggerBuild', 1],
        ['info', 'UpdateFailedRecord', 'UpdateFailedRecord', undefined],
        ['info', 'UpdateFailedHistory', 'UpdateFailedHistory', undefined],
        ['info', 'ended FAILED', 'UpdateFailedHistory', undefined],
      ],
    );
    const { outcome, cause, polls } = lines.at(-1) as Line;
    assert.deepEqual({ outcome, cause, polls }, { outcome: 'FAILED', cause: 'BuildFailed', polls: 2 });
    assert.ok(!output.includes(CREDENTIAL));
  });

  it("the worker's log says why a request was refused, once", async () => {
    let output = '';
    const worker = await stack.startWorker({ onOutput: (chunk) => (output += chunk) });
    const input = { ...inputFor(stack, 'elsewhere'), url: 'http://127.0.0.1:9' };
    await stack.build(input);
    await worker.stop();
    const refused = about(output, input.correlation_id).filter(({ msg }) => String(msg).startsWith('refused: '));
    assert.equal(refused.length, 1);
    assert.equal(refused[0]?.['cause'], 'InvalidInput');
  });

  it("the worker's log repeats no line if another worker replays the build; debug adds a line for each poll", async () => {
    const settings = { LOG_LEVEL: 'debug' };
    let output = '';
    const onOutput = (chunk: string) => (output += chunk);
    const first = await stack.startWorker({ settings, onOutput });
    const input = inputFor(stack, 'replayed', { outcome: 'NEVER' }, { poll_interval_seconds: 3 });
    const ended = stack.build(input);
    const count = (message: string, step?: string) =>
      about(output, input.correlation_id).filter(
        (line) => String(line['msg']).startsWith(message) && (step === undefined || line['step'] === step),
      ).length;
    await until('it waits after a poll, and all is told of that', async () => {
      if (count('Activity completed', 'GetBuildStatus') === 0) return false;
      const { events } = await workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key)).fetchHistory();
      const waits = (events ?? []).filter(({ timerStartedEventAttributes: timer }) => timer != null).length;
      // A line is written a moment after its event.
      return count('Activity completed', 'GetBuildStatus') === waits - 1;
    });
    await first.kill();
    letSucceed(stack, input);
    const second = await stack.startWorker({ settings, onOutput });
    assert.equal((await ended).json['status'], 'COMPLETE');
    await second.stop();
    for (const step of ['UpsertRequestRecord', 'InsertRequestHistory', 'TriggerBuild', 'UpdateSuccessfulRecord']) {
      assert.equal(count(step), 1, step);
    }
    const polls = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'GET').length;
    assert.ok(polls >= 2);
    assert.equal(count('Activity completed', 'GetBuildStatus'), polls);
    assert.equal(count('ended COMPLETE'), 1);
    assert.ok(!output.includes(CREDENTIAL));
  });
});
