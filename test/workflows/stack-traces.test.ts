import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { always } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const TASK_QUEUE = 'threaded';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
  // As in a worker: where workflow code shares a thread, the frames begin elsewhere.
  await environment.startWorker({ taskQueue: TASK_QUEUE, debugMode: false });
});
after(() => environment.stop());

describe("the Web UI's call stack", () => {
  it("the Web UI's call stack of a build that waits names the lines of ours that wait, without going on to the bottom", async (t) => {
    const undecided = always({ can_retry: true, build_status: 'QUEUED' });
    const options = { taskQueue: TASK_QUEUE, input: { deadline_seconds: 7_200 } };
    const build = await environment.start(t, { getBuildStatus: undecided }, options);
    await build.untilEvent('timerStartedEventAttributes');
    const stacks = (await build.handle.query<string>('__stack_trace')).split('\n\n').map((stack) => stack.split('\n'));
    for (const file of ['role-build.ts', 'deadline.ts']) {
      assert.ok(
        stacks.flat().some((line) => new RegExp(`src/workflows/${file}:\\d+:\\d+\\)$`).test(line)),
        file,
      );
    }
    // Of the five frames that are noted, the first is the SDK's own.
    assert.equal(Math.max(...stacks.map(({ length }) => length)), 4);
  });
});
