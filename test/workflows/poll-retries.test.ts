import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import { always, Held, times, untilCancelled, type Attempt, type Script } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

/** How late a backoff may be on a busy machine. */
const LATE_MS = 20_000;
/**
 * For a deadline, which takes real time: the time-skipping server refuses to cancel a timer whose end the worker has not seen.
 * On a busy machine the poll begins seconds late. Its workflow task is renewed after 8 s, and shows no deadline before.
 */
const IN_REAL_TIME = { poll_interval_seconds: 5, deadline_seconds: 10 };

const says503 = { type: 'BuildApiUnavailable', message: 'the build API answered 503' } as const;
const unavailable = ApplicationFailure.create(says503);
const inHalfAMinute = ApplicationFailure.create({ ...says503, nextRetryDelay: '30 seconds' });

/** These builds run in parallel, each on its own server. */
async function startBuild(t: TestContext, script: Script) {
  const environment = await WorkflowEnvironment.timeSkipping();
  t.after(() => environment.stop());
  return environment.start(t, script);
}

function assertBackoffs(attempts: Attempt[]): void {
  for (const { retryPolicy: policy } of attempts) {
    assert.deepEqual([policy?.initialInterval, policy?.backoffCoefficient, policy?.maximumAttempts], [3_000, 2, 3]);
  }
  const gaps = attempts.slice(1).map(({ startedMs }, index) => startedMs - (attempts[index]?.startedMs ?? Infinity));
  assert.equal(gaps.length, 2);
  for (const [index, ms] of [3_000, 6_000].entries()) {
    const gapMs = gaps[index] ?? NaN;
    assert.ok(gapMs >= ms && gapMs < ms + LATE_MS, `${gaps.join(', ')} ms apart`);
  }
}

describe('a poll', { concurrency: true }, () => {
  it('a poll that fails is made again after 3 s, then after 6 s, and counts once', async (t) => {
    const build = await startBuild(t, { getBuildStatus: times(2, unavailable) });
    const end = await build.end();
    const attempts = build.attemptsAt('getBuildStatus');
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 1);
    assertBackoffs(attempts);
    assert.deepEqual(
      attempts.map(({ attempt }) => attempt),
      [1, 2, 3],
    );
  });

  it('a poll that fails is given up after the third attempt, as BuildApiUnavailable', async (t) => {
    const build = await startBuild(t, { getBuildStatus: always(unavailable) });
    const end = await build.end();
    assertBackoffs(build.attemptsAt('getBuildStatus'));
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable');
    assert.equal(end.message, 'GetBuildStatus: the build API answered 503 (3 attempts)');
    assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
  });

  it("a poll that fails is BuildApiUnavailable if the worker can't say why", async (t) => {
    const build = await startBuild(t, { getBuildStatus: always(new TypeError('out of order')) });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable');
    assert.equal(end.message, 'GetBuildStatus: out of order (3 attempts)');
  });

  it('a poll that fails for good is not made again', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('the build API answered 404', 'CustomNonRetryableError');
    const build = await startBuild(t, { getBuildStatus: always(refusal) });
    const end = await build.end();
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
    assert.equal(end.message, 'GetBuildStatus: the build API answered 404');
  });

  it('a poll that fails is not made again after a cancellation', async (t) => {
    const poll = new Held<'getBuildStatus'>();
    const build = await startBuild(t, { getBuildStatus: [poll.answer, ...times(2, unavailable)] });
    const ended = build.end();
    await poll.began();
    await build.handle.cancel();
    poll.fail(unavailable);
    assert.deepEqual(await ended, { status: 'CANCELLED' });
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assert.deepEqual(build.steps.slice(-2), ['updateCancelledRecord', 'updateCancelledHistory']);
  });

  it('a poll that fails is not made again after the deadline', async (t) => {
    const environment = await WorkflowEnvironment.devServer();
    t.after(() => environment.stop());
    const build = await environment.start(t, { getBuildStatus: always(inHalfAMinute) }, { input: IN_REAL_TIME });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded');
    // There is none if the server was slow to deliver the task in which it was due.
    assert.ok(build.attemptsAt('getBuildStatus').length <= 1);
  });

  it('a poll under way at the deadline is dropped at once, and its answer does not count', async (t) => {
    const environment = await WorkflowEnvironment.devServer();
    t.after(() => environment.stop());
    let droppedAfterMs = Infinity;
    const hanging = (attempt: Attempt<'getBuildStatus'>) =>
      untilCancelled(attempt).finally(() => (droppedAfterMs = Date.now() - attempt.realMs));
    const build = await environment.start(t, { getBuildStatus: [hanging] }, { input: IN_REAL_TIME });
    const end = await build.end();
    assert.ok(droppedAfterMs < 6_000, `${droppedAfterMs} ms`);
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded');
    const { polls, error_info } = end.details[0] as RoleBuildOutcome;
    assert.equal(polls, 0);
    assert.match(error_info?.Cause ?? '', /^the build was not decided in the 10 s from /);
    assert.deepEqual(build.argsOf('updateFailedHistory')[1], error_info);
    const [poll, ...more] = build.attemptsAt('getBuildStatus');
    assert.equal(poll?.signal.aborted, true);
    assert.equal(more.length, 0);
  });

  it('a poll under way at the deadline ends both records alike if another worker replays the build in between', async (t) => {
    const environment = await WorkflowEnvironment.devServer();
    t.after(() => environment.stop());
    // This worker caches no workflow, so each workflow task begins with a replay.
    const taskQueue = 'forgetful';
    await environment.startWorker({ taskQueue, maxCachedWorkflows: 0 });
    const input = { poll_interval_seconds: 1, deadline_seconds: 6 };
    const soon = ApplicationFailure.create({ ...says503, nextRetryDelay: '1 second' });
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const build = await environment.start(t, { getBuildStatus: [soon, untilCancelled] }, { taskQueue, input });
        const end = await build.end();
        assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded', JSON.stringify(end));
        const [, recorded] = build.argsOf('updateFailedRecord');
        assert.equal(recorded.Error, 'BuildDeadlineExceeded');
        assert.deepEqual(build.argsOf('updateFailedHistory')[1], recorded);
      }),
    );
  });
});
