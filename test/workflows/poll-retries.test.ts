import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { always, times, type Script } from '../support/scripted-activities.ts';
import { WorkflowEnvironment, type BuildOptions } from '../support/workflow-environment.ts';

/** What a backoff may be late by; a busy machine is slow. */
const LATE_MS = 3_000;
/** The worker hears of a cancellation or a deadline after 0.8 of it: before the retry after 3 s, and with time to answer. */
const TASK_TIMEOUT_MS = 3_000;

const unavailable = ApplicationFailure.create({ type: 'BuildApiUnavailable', message: 'the build API answered 503' });

/** A poll's retries are the worker's own and take real time, so these builds run side by side, each on its own server. */
async function startBuild(t: TestContext, script: Script, options: BuildOptions = {}) {
  const environment = await WorkflowEnvironment.timeSkipping();
  t.after(() => environment.stop());
  return environment.start(t, script, options);
}

function assertGaps(timesMs: number[], expectedMs: number[]): void {
  const gaps = timesMs.slice(1).map((timeMs, index) => timeMs - (timesMs[index] ?? Infinity));
  assert.equal(gaps.length, expectedMs.length);
  for (const [index, gapMs] of gaps.entries()) {
    const ms = expectedMs[index] ?? Infinity;
    assert.ok(gapMs >= ms && gapMs < ms + LATE_MS, `${gaps.join(', ')} ms apart`);
  }
}

describe('a poll that fails', { concurrency: true }, () => {
  it('is made again after 3 s, then after 6 s, and counts once', async (t) => {
    const build = await startBuild(t, { getBuildStatus: times(2, unavailable) });
    const end = await build.end();
    const attempts = build.attemptsAt('getBuildStatus');
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 1);
    assertGaps(
      attempts.map(({ realMs }) => realMs),
      [3_000, 6_000],
    );
    assert.deepEqual(
      attempts.map(({ attempt }) => attempt),
      [1, 2, 3],
    );
  });

  it('is given up after the third attempt, as BuildApiUnavailable', async (t) => {
    const build = await startBuild(t, { getBuildStatus: always(unavailable) });
    const end = await build.end();
    assertGaps(
      build.attemptsAt('getBuildStatus').map(({ realMs }) => realMs),
      [3_000, 6_000],
    );
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable');
    assert.equal(end.message, 'GetBuildStatus: the build API answered 503 (3 attempts)');
    assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
  });

  it('is BuildApiUnavailable if the worker can not say why', async (t) => {
    const build = await startBuild(t, { getBuildStatus: always(new TypeError('out of order')) });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable');
    assert.equal(end.message, 'GetBuildStatus: out of order (3 attempts)');
  });

  it('for good is not made again', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('the build API answered 404', 'CustomNonRetryableError');
    const build = await startBuild(t, { getBuildStatus: always(refusal) });
    const end = await build.end();
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
    assert.equal(end.message, 'GetBuildStatus: the build API answered 404');
  });

  it('is not made again after a cancellation in its backoff', async (t) => {
    const build = await startBuild(
      t,
      { getBuildStatus: always(unavailable) },
      { workflowTaskTimeoutMs: TASK_TIMEOUT_MS },
    );
    const ended = build.end();
    await build.untilAttempted('getBuildStatus');
    await build.handle.cancel();
    assert.deepEqual(await ended, { status: 'CANCELLED' });
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assert.deepEqual(build.steps.slice(-2), ['updateCancelledRecord', 'updateCancelledHistory']);
  });

  it('is not made again after the deadline', async (t) => {
    const options = { workflowTaskTimeoutMs: TASK_TIMEOUT_MS, input: { deadline_seconds: 62 } };
    const build = await startBuild(t, { getBuildStatus: always(unavailable) }, options);
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded');
    // None at all, where the server was slow to hand out the task in which it was due.
    assert.ok(build.attemptsAt('getBuildStatus').length <= 1);
  });
});
