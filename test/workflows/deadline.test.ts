import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import type { RunningBuild, WorkflowEnd } from '../support/running-build.ts';
import { always, BUILD_ID, Held, times, type Script } from '../support/scripted-activities.ts';
import { SKIPPING, WorkflowEnvironment } from '../support/workflow-environment.ts';

/** How late a deadline may be, in the server's time. */
const LATE_MS = 10_000;

const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };
const failure = ApplicationFailure.create({ type: 'RecordWriteFailed', message: 'DynamoDB did not answer' });
const inAnHour = ApplicationFailure.create({ type: 'BuildApiUnavailable', message: 'busy', nextRetryDelay: '1 hour' });

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

function assertExceeded(build: RunningBuild, end: WorkflowEnd, seconds: number): RoleBuildOutcome {
  const Cause = `the build was not decided in the ${seconds} s from ${build.job.start_at}; the build API may still finish it`;
  const error_info = { Error: 'BuildDeadlineExceeded', Cause };
  assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded' && end.message === Cause);
  assert.deepEqual(build.argsOf('updateFailedHistory')[1], error_info);
  const outcome = end.details[0] as RoleBuildOutcome;
  assert.deepEqual(outcome.error_info, error_info);
  return outcome;
}

function assertAt(build: RunningBuild, atMs: number | undefined, seconds: number): void {
  const afterMs = (atMs ?? NaN) - Date.parse(build.job.start_at);
  assert.ok(afterMs >= seconds * 1000 && afterMs < seconds * 1000 + LATE_MS, `${afterMs} ms after the start`);
}

describe('a deadline', () => {
  it('a deadline cuts a wait short', async (t) => {
    const script: Script = { getBuildStatus: always(UNDECIDED) };
    const build = await environment.start(t, script, { input: { deadline_seconds: 150 } });
    const outcome = assertExceeded(build, await build.end(), 150);
    assert.equal(outcome.polls, 2);
    assert.equal(outcome.build_id, BUILD_ID);
    const [written] = build.attemptsAt('updateFailedRecord');
    assertAt(build, written?.startedMs, 150);
    assert.equal(written?.args[0].build_id, BUILD_ID);
  });

  it('a deadline does nothing to a build that is decided before it', async (t) => {
    const build = await environment.start(t, {}, { input: { deadline_seconds: 65 } });
    assert.equal((await build.end()).status, 'COMPLETED');
  });

  it('a deadline cuts short the wait that a poll was told to make', async (t) => {
    const script: Script = { getBuildStatus: always(inAnHour) };
    const build = await environment.start(t, script, { input: { deadline_seconds: 150 } });
    const outcome = assertExceeded(build, await build.end(), 150);
    assert.equal(outcome.polls, 0);
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assertAt(build, build.attemptsAt('updateFailedRecord')[0]?.startedMs, 150);
  });

  it('a deadline that passes during the wait, without a worker, keeps a late worker from polling', async (t) => {
    // The time-skipping server skips no time while a workflow task waits for a worker.
    const devServer = await WorkflowEnvironment.devServer(SKIPPING);
    t.after(() => devServer.stop());
    const taskQueue = 'away';
    const stopWorker = await devServer.startWorker({ taskQueue });
    const input = { poll_interval_seconds: 3600, deadline_seconds: 3600.5 };
    const build = await devServer.start(t, {}, { taskQueue, input });
    await build.untilEvent('timerStartedEventAttributes', 2);
    await stopWorker();
    await devServer.skipWaits(build);
    await build.untilEvent('timerFiredEventAttributes', 2);
    await devServer.startWorker({ taskQueue });
    const outcome = assertExceeded(build, await build.end(), 3600.5);
    assert.equal(outcome.polls, 0);
    assert.equal(build.attemptsAt('getBuildStatus').length, 0);
  });

  it('a deadline lets a POST finish, keeps its build ID, and polls no more', async (t) => {
    const late = async () => {
      await environment.sleep(10_000);
      return { build_id: 'late' };
    };
    const build = await environment.start(t, { triggerBuild: [late] }, { input: { deadline_seconds: 8 } });
    const outcome = assertExceeded(build, await build.end(), 8);
    assert.equal(outcome.build_id, 'late');
    assert.equal(build.argsOf('updateFailedHistory')[0].build_id, 'late');
    assert.equal(build.attemptsAt('getBuildStatus').length, 0);
  });

  it('a deadline keeps a POST from being sent again', async (t) => {
    const script: Script = { triggerBuild: always(inAnHour) };
    const build = await environment.start(t, script, { input: { deadline_seconds: 60 } });
    assertExceeded(build, await build.end(), 60);
    assert.equal(build.attemptsAt('triggerBuild').length, 1);
    assertAt(build, build.attemptsAt('updateFailedRecord')[0]?.startedMs, 60);
  });

  it('a deadline that passed before the POST keeps it from being sent', async (t) => {
    const script: Script = { insertRequestHistory: times(2, failure) };
    const build = await environment.start(t, script, { input: { deadline_seconds: 8 } });
    const outcome = assertExceeded(build, await build.end(), 8);
    assert.equal('build_id' in outcome, false);
    assert.equal(build.attemptsAt('triggerBuild').length, 0);
    assert.equal(build.attemptsAt('insertRequestHistory').length, 3);
  });

  it('a deadline leaves final record updates alone', async (t) => {
    const script: Script = { updateSuccessfulRecord: times(9, failure) };
    const build = await environment.start(t, script, { input: { deadline_seconds: 70 } });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.status === 'COMPLETE');
    assert.equal(build.attemptsAt('updateSuccessfulRecord').length, 10);
  });

  it('a deadline does not replace a failure that came before it', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('the build API answered 400', 'CustomNonRetryableError');
    const late = async () => {
      await environment.sleep(10_000);
      throw refusal;
    };
    const build = await environment.start(t, { triggerBuild: [late] }, { input: { deadline_seconds: 8 } });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
  });
});

describe('a cancellation', () => {
  it('a cancellation outranks a deadline that passes while the POST finishes', async (t) => {
    const post = new Held<'triggerBuild'>();
    const build = await environment.start(t, { triggerBuild: [post.answer] }, { input: { deadline_seconds: 8 } });
    const ended = build.end();
    await post.began();
    await environment.sleep(9_000);
    await build.untilEvent('activityTaskCancelRequestedEventAttributes');
    await build.handle.cancel();
    await build.untilEvent('workflowExecutionCancelRequestedEventAttributes');
    post.succeed({ build_id: 'late' });
    assert.deepEqual(await ended, { status: 'CANCELLED' });
    assert.equal(build.argsOf('updateCancelledRecord')[0].build_id, 'late');
  });

  it('a cancellation outranks a deadline that passed during the same put', async (t) => {
    const put = new Held<'insertRequestHistory'>();
    const build = await environment.start(
      t,
      { insertRequestHistory: [put.answer] },
      { input: { deadline_seconds: 8 } },
    );
    const ended = build.end();
    await put.began();
    await build.handle.cancel();
    await build.untilEvent('activityTaskCancelRequestedEventAttributes');
    await environment.sleep(9_000);
    put.succeed(null);
    assert.deepEqual(await ended, { status: 'CANCELLED' });
  });
});
