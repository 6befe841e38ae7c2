import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { always } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const TASK_QUEUE = 'threaded';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
  // In their own thread, as in a worker: otherwise the frames begin elsewhere.
  await environment.startWorker({ taskQueue: TASK_QUEUE, debugMode: false });
});
after(() => environment.stop());

describe("the Web UI's call stack", () => {
  it("the Web UI's call stack of a build that waits names our lines that wait, not the whole stack", async (t) => {
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
    // The first of the five kept frames is the SDK's.
    assert.equal(Math.max(...stacks.map(({ length }) => length)), 4);
  });
});
