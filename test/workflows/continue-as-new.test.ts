import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import type { RunningBuild } from '../support/running-build.ts';
import { always, BUILD_ID, Held, times, type Script } from '../support/scripted-activities.ts';
import { SKIPPING, WorkflowEnvironment } from '../support/workflow-environment.ts';

/** The POST ends at about this many events, so every build continues as new before its first poll. */
const SUGGEST_AT_EVENTS = 20;
const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };
const failure = ApplicationFailure.create({ type: 'RecordWriteFailed', message: 'DynamoDB did not answer' });
/** Less than an input may have; the first step's fake does not check it. */
const oftener = { input: { poll_interval_seconds: 0.2 } };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.devServer({
    ...SKIPPING,
    'limit.historyCount.suggestContinueAsNew': SUGGEST_AT_EVENTS,
  });
});
after(() => environment.stop());

/** Asserts that each attempt had the same job and build, and that the POST was sent once. */
function assertOneBuild(build: RunningBuild): void {
  assert.equal(build.job.job_id, build.jobId);
  assert.equal(build.attemptsAt('upsertRequestRecord').length, 1);
  assert.equal(build.attemptsAt('insertRequestHistory').length, 1);
  assert.equal(build.attemptsAt('triggerBuild').length, 1);
  assert.ok(build.attemptsAt('getBuildStatus').every(({ args }) => args[1] === BUILD_ID));
  for (const { activity, args } of build.attempts) {
    if (!activity.startsWith('update')) continue;
    const [end] = args as [{ job: unknown; build_id: unknown }];
    assert.deepEqual(end.job, build.job);
    assert.equal(end.build_id, BUILD_ID);
  }
}

/** Returns the waits between the rounds of a final record update, through all runs. */
async function finalUpdateWaitsSeconds(build: RunningBuild): Promise<number[]> {
  return (await build.runs())
    .flat()
    .filter(({ userMetadata }) => {
      const summary = userMetadata?.summary;
      return summary && defaultPayloadConverter.fromPayload<string>(summary).endsWith('wait to try again');
    })
    .map(({ timerStartedEventAttributes: timer }) => Number(timer?.startToFireTimeout?.seconds));
}

describe('continue-as-new', { concurrency: true }, () => {
  describe('a build whose history grows long', { concurrency: true }, () => {
    it('a build whose history grows long goes on in new runs as the same job, and counts its polls through all of them', async (t) => {
      const build = await environment.start(t, { getBuildStatus: times(8, UNDECIDED) }, oftener);
      const end = await build.end();
      const runs = await build.runs();
      assert.ok(runs.length >= 2, `${runs.length} runs`);
      assert.ok(end.status === 'COMPLETED');
      assert.deepEqual(end.outcome, {
        status: 'COMPLETE',
        account_id: build.input.build_body.account_id,
        resource: build.input.ddb_composite_sort_key,
        correlation_id: build.input.correlation_id,
        ...build.job,
        build_id: BUILD_ID,
        polls: 9,
        contested: false,
      });
      assert.equal(build.attemptsAt('getBuildStatus').length, 9);
      assertOneBuild(build);
      const { typedSearchAttributes } = await build.handle.describe();
      const found = Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
      assert.equal(found['JobId'], build.jobId);
      assert.equal(found['BuildStatus'], 'COMPLETE');
    });

    it('a build whose history grows long waits before the first poll of a run as before any other', async (t) => {
      const build = await environment.start(t, { getBuildStatus: times(6, UNDECIDED) }, oftener);
      await build.end();
      const polls = build.attemptsAt('getBuildStatus');
      for (const [index, { startedMs }] of polls.entries()) {
        const waitMs = startedMs - (polls[index - 1]?.endedMs ?? build.attemptsAt('triggerBuild')[0]?.endedMs ?? NaN);
        assert.ok(waitMs >= 190, `${waitMs} ms`);
      }
    });

    it('a build whose history grows long and fails counts all of its polls', async (t) => {
      const verdict = { can_retry: false, build_status: 'FAILED', answer: '{}' };
      const build = await environment.start(t, { getBuildStatus: [...times(6, UNDECIDED), verdict] }, oftener);
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'BuildFailed');
      assert.equal((end.details[0] as RoleBuildOutcome).polls, 7);
      assertOneBuild(build);
    });

    it('a build whose history grows long keeps its deadline from its first start', async (t) => {
      const input = { ...oftener.input, deadline_seconds: 8 };
      const build = await environment.start(t, { getBuildStatus: always(UNDECIDED) }, { input });
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded');
      const runs = await build.runs();
      assert.ok(runs.length >= 2);
      const [written] = build.attemptsAt('updateFailedRecord');
      const startMs = Date.parse(build.job.start_at);
      const writtenMs = written?.startedMs ?? NaN;
      assert.ok(writtenMs - startMs >= 7_990, `${writtenMs - startMs} ms after the start`);
      for (const events of runs.slice(1)) {
        const timers = events.flatMap(({ timerStartedEventAttributes: timer }) => timer?.startToFireTimeout ?? []);
        // The deadline's timer comes first. A poll's timer can be longer than the time that is left.
        const [deadline] = timers;
        // A run that begins after the deadline has no timer.
        if (deadline === undefined) continue;
        const deadlineMs = tsToMs(deadline);
        const runAfterMs = tsToMs(events[0]?.eventTime) - startMs;
        assert.ok(deadlineMs <= 8_000 - runAfterMs + 1, `${deadlineMs} ms for a run that began after ${runAfterMs} ms`);
      }
      assertOneBuild(build);
    });

    it('a build whose history grows long is cancelled in a later run', async (t) => {
      const build = await environment.start(t, { getBuildStatus: always(UNDECIDED) }, oftener);
      await build.untilAttempted('getBuildStatus', 6);
      await build.handle.cancel();
      assert.deepEqual(await build.end(), { status: 'CANCELLED' });
      assert.ok((await build.runs()).length >= 3);
      assert.equal(build.attemptsAt('requestOwnCancellation').length, 0);
      assert.deepEqual(build.steps.slice(-2), ['updateCancelledRecord', 'updateCancelledHistory']);
      assertOneBuild(build);
    });
  });

  describe('a cancellation in the workflow task that continues a build as new', { concurrency: true }, () => {
    for (const order of ['just before', 'just after']) {
      it(`a cancellation in the workflow task that continues a build as new is not lost, ${order} the other event`, async (t) => {
        const taskQueue = `cancelled ${order}`;
        const post = new Held<'triggerBuild'>();
        await environment.startWorker({ taskQueue, only: 'activities' });
        const stop = await environment.startWorker({ taskQueue, only: 'workflows' });
        const script: Script = { triggerBuild: [post.answer], getBuildStatus: always(UNDECIDED) };
        const build = await environment.start(t, script, { taskQueue, ...oftener });
        await post.began();
        // No worker takes workflow tasks, so that the next one has both events.
        await stop();
        if (order === 'just before') await build.handle.cancel();
        post.succeed({ build_id: BUILD_ID });
        await build.untilEvent('activityTaskCompletedEventAttributes', 3);
        if (order === 'just after') await build.handle.cancel();
        await environment.startWorker({ taskQueue, only: 'workflows' });
        assert.deepEqual(await build.end(), { status: 'CANCELLED' });
        assert.deepEqual(build.steps.slice(-3), ['triggerBuild', 'updateCancelledRecord', 'updateCancelledHistory']);
        assertOneBuild(build);
      });
    }
  });

  describe('final record updates that wait until the history grows long', { concurrency: true }, () => {
    const WAITS = [30, 60, 120, 240, 480, 600, 600];
    const broken = { updateSuccessfulRecord: times(21, failure), updateFailedRecord: times(21, failure) };

    it('final record updates that wait until the history grows long go on in new runs with the same end, ever longer waits and no second poll', async (t) => {
      const build = await environment.start(t, broken, { skipWaits: true });
      const end = await build.end();
      assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 1);
      assert.ok((await build.runs()).length >= 3);
      assert.deepEqual(await finalUpdateWaitsSeconds(build), WAITS);
      assert.equal(build.attemptsAt('getBuildStatus').length, 1);
      assertOneBuild(build);
    });

    it('final record updates that wait until the history grows long go on with the same error', async (t) => {
      const verdict = { can_retry: false, build_status: 'FAILED', answer: '{"why":"quota"}' };
      const script: Script = { ...broken, getBuildStatus: [verdict] };
      const build = await environment.start(t, script, { skipWaits: true });
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'BuildFailed' && end.message.includes('quota'));
      assert.deepEqual(await finalUpdateWaitsSeconds(build), WAITS);
      const errors = build.attemptsAt('updateFailedRecord').map(({ args }) => args[1]);
      assert.equal(new Set(errors.map((error) => JSON.stringify(error))).size, 1);
      assertOneBuild(build);
    });

    it('final record updates that wait until the history grows long do not write the status record again if it is right', async (t) => {
      const script: Script = { updateSuccessfulHistory: times(9, failure) };
      const build = await environment.start(t, script, { skipWaits: true });
      assert.equal((await build.end()).status, 'COMPLETED');
      assert.ok((await build.runs()).length >= 2);
      assert.equal(build.attemptsAt('updateSuccessfulRecord').length, 1);
      assert.equal(build.attemptsAt('updateSuccessfulHistory').length, 10);
    });

    it('final record updates that wait until the history grows long end a cancelled build cancelled, in a run that got no cancel request', async (t) => {
      const script: Script = {
        getBuildStatus: always(UNDECIDED),
        updateCancelledRecord: times(9, failure),
        requestOwnCancellation: [new Error('Temporal did not answer')],
      };
      const build = await environment.start(t, script, { skipWaits: true });
      await build.untilAttempted('getBuildStatus');
      await build.handle.cancel();
      assert.deepEqual(await build.end(), { status: 'CANCELLED' });
      assert.ok((await build.runs()).length >= 2);
      const asked = build.attemptsAt('requestOwnCancellation');
      assert.equal(asked.length, 2);
      assert.deepEqual(build.steps.slice(-4, -2), ['updateCancelledRecord', 'updateCancelledHistory']);
      const { status, typedSearchAttributes } = await build.handle.describe();
      assert.equal(status.name, 'CANCELLED');
      const found = typedSearchAttributes.getAll().find(({ key }) => key.name === 'BuildStatus');
      assert.equal(found?.value, 'CANCELLED');
      assertOneBuild(build);
    });
  });

  describe('a workflow that is reset to its first task', () => {
    it('a workflow that is reset to its first task is the same job again, whichever of its runs is reset', async (t) => {
      const ended = ApplicationFailure.nonRetryable('already ended', 'JobAlreadyEnded');
      const script: Script = { upsertRequestRecord: [null, ended], getBuildStatus: times(5, UNDECIDED) };
      const build = await environment.start(t, script, oftener);
      await build.end();
      const { runId } = await build.handle.describe();
      assert.notEqual(runId, build.jobId);
      await build.resetToFirstTask(build.jobId);
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'JobAlreadyEnded');
      const [first, again] = build.attemptsAt('upsertRequestRecord').map(({ args }) => args[1]);
      assert.deepEqual(again, first);

      await build.resetToFirstTask(runId);
      await build.end();
      const jobs = build.attemptsAt('updateSuccessfulRecord').map(({ args }) => args[0].job);
      assert.deepEqual(jobs, [first, first]);
      assert.equal(build.attemptsAt('triggerBuild').length, 1);
    });

    it('a workflow that is reset to its first task and then refused ends FAILED in the records of the run before', async (t) => {
      const refused = ApplicationFailure.nonRetryable('refused', 'InvalidInput');
      const script: Script = { upsertRequestRecord: [null, refused], getBuildStatus: always(UNDECIDED) };
      const build = await environment.start(t, script, { skipWaits: true });
      await build.untilAttempted('getBuildStatus');
      await build.resetToFirstTask(build.jobId);
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'RecordWriteFailed', JSON.stringify(end));
      assert.match(end.message, /^UpsertRequestRecord: refused, after an earlier attempt had put the record$/);
      assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
    });

    it('a workflow that is reset to its first task and cancelled before its first step ends CANCELLED in the records of the run before', async (t) => {
      const taskQueue = 'reset-and-cancelled';
      const stopWorker = await environment.startWorker({ taskQueue });
      const polls = { input: { poll_interval_seconds: 3600 }, taskQueue };
      const build = await environment.start(t, { getBuildStatus: always(UNDECIDED) }, polls);
      await build.untilEvent('timerStartedEventAttributes');
      await stopWorker();
      const attemptsBefore = build.attempts.length;
      await build.resetToFirstTask(build.jobId);
      await build.handle.cancel();
      await environment.startWorker({ taskQueue });
      assert.deepEqual(await build.end(), { status: 'CANCELLED' });
      assert.deepEqual(build.steps.slice(attemptsBefore), ['updateCancelledRecord', 'updateCancelledHistory']);
      assert.equal(build.argsOf('updateCancelledHistory')[0].may_create, false);
    });
  });
});
