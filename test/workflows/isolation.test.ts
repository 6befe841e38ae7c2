import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { probe } from '../support/probe-workflows.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';
import { times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const TASK_QUEUE = 'isolation';
const workflowsPath = fileURLToPath(new URL('../support/probe-workflows.ts', import.meta.url));
const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: quietRuntime() });
  // In their own thread, as in a worker.
  await environment.startWorker({ taskQueue: TASK_QUEUE, workflowBundle, debugMode: false });
});
after(() => environment.stop());

describe('workflows of one worker', () => {
  it('workflows of one worker share no module state and no globals', async () => {
    const rounds = 5;
    const handles = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        environment.client.workflow.start<typeof probe>('probe', {
          workflowId: `probe-${name}`,
          taskQueue: TASK_QUEUE,
          args: [rounds],
        }),
      ),
    );
    const own = Array.from({ length: rounds }, (_, index) => index + 1);
    for (const handle of handles) assert.deepEqual(await handle.result(), { ofModule: own, ofGlobal: own });
  });

  it('workflows of one worker run side by side, each with its own input and answers', async (t) => {
    const builds = await Promise.all(
      [2, 3, 4].map((count) =>
        environment.start(
          t,
          { triggerBuild: [{ build_id: `build-of-${count}` }], getBuildStatus: times(count, UNDECIDED) },
          { taskQueue: TASK_QUEUE, input: { poll_interval_seconds: 10, requested_by: `caller-${count}` } },
        ),
      ),
    );
    for (const [index, build] of builds.entries()) {
      const count = index + 2;
      const end = await build.end();
      assert.ok(end.status === 'COMPLETED');
      assert.equal(end.outcome.job_id, build.jobId);
      assert.equal(end.outcome.resource, build.input.ddb_composite_sort_key);
      assert.equal(end.outcome.build_id, `build-of-${count}`);
      assert.equal(end.outcome.polls, count + 1);
      assert.ok(build.attemptsAt('getBuildStatus').every(({ args }) => args[1] === `build-of-${count}`));
      assert.equal(build.argsOf('updateSuccessfulHistory')[0].request.requested_by, `caller-${count}`);
    }
    const polls = builds.map((build) => build.attemptsAt('getBuildStatus').map(({ startedMs }) => startedMs));
    const lastOfAll = Math.min(...polls.map((startedMs) => startedMs.at(-1) ?? NaN));
    for (const [first = NaN] of polls) assert.ok(first < lastOfAll, 'side by side');
  });
});
