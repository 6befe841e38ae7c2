import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { RunningBuild } from '../support/running-build.ts';
import { always, BUILD_ID, Held, untilCancelled, type ActivityName } from '../support/scripted-activities.ts';
import { SHORT_TASK_MS, WorkflowEnvironment } from '../support/workflow-environment.ts';

const failure = ApplicationFailure.create({ type: 'RecordWriteFailed', message: 'DynamoDB did not answer' });
const inAnHour = { type: 'BuildApiUnavailable', message: 'busy', nextRetryDelay: '1 hour' } as const;
/** Less than an input may have; the first step's fake does not check it. */
const poll_interval_seconds = 0.1;
const FINAL_UPDATES: ActivityName[] = ['updateCancelledRecord', 'updateCancelledHistory'];

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.devServer();
});
after(() => environment.stop());

/** Asserts that the workflow and both records were cancelled, after exactly these steps. */
async function assertCancelled(build: RunningBuild, steps: ActivityName[], buildId?: string): Promise<void> {
  assert.deepEqual(await build.end(), { status: 'CANCELLED' });
  assert.equal((await build.handle.describe()).status.name, 'CANCELLED');
  assert.deepEqual(build.steps, [...steps, ...FINAL_UPDATES]);
  assert.equal(build.argsOf('updateCancelledRecord')[0].build_id, buildId);
  assert.equal(build.argsOf('updateCancelledHistory')[0].build_id, buildId);
}

/** Cancels, and waits until the running activity was cancelled. */
async function cancelDuringActivity(build: RunningBuild): Promise<void> {
  await build.handle.cancel();
  await build.untilEvent('activityTaskCancelRequestedEventAttributes');
}

// In parallel, because some wait 15 s for a missed heartbeat or a late put.
describe('a cancellation', { concurrency: true }, () => {
  describe('before the first step', () => {
    for (const input of ['as it should be', null]) {
      it(`a cancellation before the first step writes nothing, with the input ${input}`, async (t) => {
        const taskQueue = `idle-${input}`;
        const build = await environment.start(t, {}, { taskQueue, ...(input === null ? { rawInput: null } : {}) });
        await build.handle.cancel();
        await environment.startWorker({ taskQueue });
        assert.deepEqual(await build.end(), { status: 'CANCELLED' });
        assert.deepEqual(build.steps, []);
      });
    }
  });

  describe('during the first put', () => {
    it('a cancellation during the first put lets it finish, then records the end', async (t) => {
      const put = new Held<'upsertRequestRecord'>();
      const build = await environment.start(t, { upsertRequestRecord: [put.answer] });
      await put.began();
      await cancelDuringActivity(build);
      put.succeed(null);
      await assertCancelled(build, ['upsertRequestRecord']);
      assert.equal(build.argsOf('updateCancelledHistory')[0].may_create, true);
    });

    it('a cancellation during the first put does not repeat it if it fails, and creates no record', async (t) => {
      const put = new Held<'upsertRequestRecord'>();
      const build = await environment.start(t, { upsertRequestRecord: [put.answer] });
      await put.began();
      await cancelDuringActivity(build);
      put.fail(failure);
      await assertCancelled(build, ['upsertRequestRecord']);
      assert.equal(build.argsOf('updateCancelledHistory')[0].may_create, false);
    });

    it('a cancellation during the first put does not hide that the input was refused', async (t) => {
      const put = new Held<'upsertRequestRecord'>();
      const build = await environment.start(t, { upsertRequestRecord: [put.answer] });
      await put.began();
      await cancelDuringActivity(build);
      put.fail(ApplicationFailure.nonRetryable('refused', 'InvalidInput'));
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'InvalidInput');
      assert.deepEqual(build.steps, ['upsertRequestRecord']);
    });
  });

  describe('while a step waits to be made again', () => {
    const cases: { step: ActivityName; before: ActivityName[] }[] = [
      { step: 'upsertRequestRecord', before: [] },
      { step: 'insertRequestHistory', before: ['upsertRequestRecord'] },
      { step: 'triggerBuild', before: ['upsertRequestRecord', 'insertRequestHistory'] },
    ];
    for (const { step, before: earlier } of cases) {
      it(`a cancellation while a step waits for its next attempt makes neither that nor a later step: ${step}`, async (t) => {
        const build = await environment.start(t, { [step]: always(ApplicationFailure.create(inAnHour)) });
        await build.untilBackoff();
        await build.handle.cancel();
        await assertCancelled(build, [...earlier, step]);
        assert.equal(build.argsOf('updateCancelledHistory')[0].may_create, step !== 'upsertRequestRecord');
      });
    }
  });

  describe('during the put of the history', () => {
    it('a cancellation during the put of the history keeps the POST from being sent', async (t) => {
      const put = new Held<'insertRequestHistory'>();
      const build = await environment.start(t, { insertRequestHistory: [put.answer] });
      await put.began();
      await cancelDuringActivity(build);
      put.succeed(null);
      await assertCancelled(build, ['upsertRequestRecord', 'insertRequestHistory']);
    });
  });

  describe('during the POST', () => {
    const earlier: ActivityName[] = ['upsertRequestRecord', 'insertRequestHistory', 'triggerBuild'];

    it('a cancellation during the POST keeps its answer, and polls no more', async (t) => {
      const post = new Held<'triggerBuild'>();
      const build = await environment.start(t, { triggerBuild: [post.answer] });
      await post.began();
      await cancelDuringActivity(build);
      post.succeed({ build_id: 'late' });
      await assertCancelled(build, earlier, 'late');
    });

    it('a cancellation during the POST does not send it again if it fails', async (t) => {
      const post = new Held<'triggerBuild'>();
      const build = await environment.start(t, { triggerBuild: [post.answer] });
      await post.began();
      await cancelDuringActivity(build);
      post.fail(ApplicationFailure.create({ type: 'BuildTriggerUnknown', message: 'no answer' }));
      await assertCancelled(build, earlier);
    });

    it('a cancellation during the POST does not hide that the build API refused it for good', async (t) => {
      const post = new Held<'triggerBuild'>();
      const build = await environment.start(t, { triggerBuild: [post.answer] });
      await post.began();
      await cancelDuringActivity(build);
      post.fail(ApplicationFailure.nonRetryable('the build API answered 400', 'CustomNonRetryableError'));
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
    });
  });

  describe('while the build is polled', () => {
    const earlier: ActivityName[] = ['upsertRequestRecord', 'insertRequestHistory', 'triggerBuild'];

    it('a cancellation while the build is polled cuts the wait short', async (t) => {
      const build = await environment.start(t);
      await build.untilEvent('timerStartedEventAttributes');
      await build.handle.cancel();
      const atMs = await environment.nowMs();
      await assertCancelled(build, earlier, BUILD_ID);
      const [written] = build.attemptsAt('updateCancelledRecord');
      assert.ok(written !== undefined && written.startedMs - atMs < 30_000);
    });

    it('a cancellation while the build is polled cuts short the wait that a poll was told to make', async (t) => {
      const getBuildStatus = always(ApplicationFailure.create(inAnHour));
      const build = await environment.start(t, { getBuildStatus }, { input: { poll_interval_seconds } });
      await build.untilEvent('timerStartedEventAttributes', 2);
      await build.handle.cancel();
      await assertCancelled(build, [...earlier, 'getBuildStatus'], BUILD_ID);
    });

    it('a cancellation while the build is polled drops a poll under way', async (t) => {
      const options = { workflowTaskTimeoutMs: SHORT_TASK_MS, input: { poll_interval_seconds } };
      const build = await environment.start(t, { getBuildStatus: [untilCancelled] }, options);
      await build.untilBegun('getBuildStatus');
      await build.handle.cancel();
      await assertCancelled(build, [...earlier, 'getBuildStatus'], BUILD_ID);
      assert.equal(build.attemptsAt('getBuildStatus')[0]?.signal.aborted, true);
    });

    it('a cancellation while the build is polled does not undo what the last poll says', async (t) => {
      const decided = (attempt: { signal: AbortSignal }) =>
        untilCancelled(attempt).catch(() => ({ can_retry: false, build_status: 'SUCCEEDED' }));
      const options = { workflowTaskTimeoutMs: SHORT_TASK_MS, input: { poll_interval_seconds } };
      const build = await environment.start(t, { getBuildStatus: [decided] }, options);
      await build.untilBegun('getBuildStatus');
      await build.handle.cancel();
      assert.equal((await build.end()).status, 'COMPLETED');
    });
  });
});
