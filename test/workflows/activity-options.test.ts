import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { RunningBuild } from '../support/running-build.ts';
import { always, times, type ActivityName, type Attempt, type Script } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

/** How late a backoff may be, in the server's time, which includes stalls of a busy machine. */
const LATE_MS = 20_000;

const failure = new Error('out of order');
const refusal = ApplicationFailure.nonRetryable('refused', 'CustomNonRetryableError');
const verdict = { can_retry: false, build_status: 'FAILED', answer: '{}' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

/** The steps that are ordinary activities, each with a build that reaches it. */
const STEPS: { step: ActivityName; last: boolean; after?: Script; cancel?: boolean }[] = [
  { step: 'upsertRequestRecord', last: false },
  { step: 'insertRequestHistory', last: false },
  { step: 'triggerBuild', last: false },
  { step: 'updateSuccessfulRecord', last: true },
  { step: 'updateSuccessfulHistory', last: true },
  { step: 'updateFailedRecord', last: true, after: { getBuildStatus: [verdict] } },
  { step: 'updateFailedHistory', last: true, after: { getBuildStatus: [verdict] } },
  { step: 'updateCancelledRecord', last: true, cancel: true },
  { step: 'updateCancelledHistory', last: true, cancel: true },
];

function assertGaps(attempts: Attempt[], expectedMs: number[]): void {
  const gaps = attempts.slice(1).map(({ startedMs }, index) => startedMs - (attempts[index]?.endedMs ?? Infinity));
  assert.equal(gaps.length, expectedMs.length);
  for (const [index, gapMs] of gaps.entries()) {
    const ms = expectedMs[index] ?? Infinity;
    assert.ok(gapMs >= ms && gapMs < ms + LATE_MS, `${gaps.join(', ')} ms apart`);
  }
}

/** Reads a step's backoffs from the history, however late the attempts were. */
async function assertBackoffs(build: RunningBuild, step: ActivityName): Promise<void> {
  const policies = (await build.history())
    .map(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled)
    .filter((scheduled) => scheduled?.activityType?.name === step)
    .map((scheduled) => scheduled?.retryPolicy);
  assert.deepEqual(
    policies.map((policy) => [tsToMs(policy?.initialInterval), policy?.backoffCoefficient, policy?.maximumAttempts]),
    [[3_000, 2, 3]],
  );
  assertGaps(build.attemptsAt(step), [3_000, 6_000]);
}

describe('an attempt that fails', () => {
  for (const { step, last, after: earlier, cancel } of STEPS) {
    const run = async (t: Parameters<WorkflowEnvironment['start']>[0], script: Script) => {
      const build = await environment.start(t, { ...earlier, ...script });
      if (cancel) {
        await build.untilEvent('timerStartedEventAttributes');
        await build.handle.cancel();
      }
      return { build, end: await build.end() };
    };

    it(`an attempt that fails at ${step} is made again after 3 s, then after 6 s, and the build goes on`, async (t) => {
      const { build, end } = await run(t, { [step]: times(2, failure) });
      const attempts = build.attemptsAt(step);
      assert.deepEqual(
        attempts.map(({ attempt }) => attempt),
        [1, 2, 3],
      );
      await assertBackoffs(build, step);
      assert.equal(end.status, cancel ? 'CANCELLED' : earlier ? 'FAILED' : 'COMPLETED');
    });

    if (last) {
      it(`an attempt that fails at ${step} for good is made again only after the timer`, async (t) => {
        const { build } = await run(t, { [step]: times(2, refusal) });
        const attempts = build.attemptsAt(step);
        assertGaps(attempts, [30_000, 60_000]);
        assert.deepEqual((await build.timersMs()).slice(-2), [30_000, 60_000]);
        assert.deepEqual(
          attempts.map(({ attempt }) => attempt),
          [1, 1, 1],
        );
      });
    } else {
      it(`an attempt that fails at ${step} for good is not made again, and fails the build`, async (t) => {
        const { build, end } = await run(t, { [step]: always(refusal) });
        assert.equal(build.attemptsAt(step).length, 1);
        assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
        assert.match(end.message, /^[A-Z]\w+: refused$/);
        assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      });

      it(`an attempt that fails at ${step} is the last if it is the third`, async (t) => {
        const { build, end } = await run(t, { [step]: always(failure) });
        await assertBackoffs(build, step);
        assert.ok(end.status === 'FAILED');
        assert.match(end.message, /^[A-Z]\w+: out of order \(3 attempts\)$/);
        assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      });
    }
  }

  it('an attempt that fails is not made again if its type alone is non-retryable', async (t) => {
    const byType = ApplicationFailure.create({ type: 'CustomNonRetryableError', message: 'refused' });
    const build = await environment.start(t, { triggerBuild: always(byType) });
    const end = await build.end();
    assert.equal(build.attemptsAt('triggerBuild').length, 1);
    assert.ok(end.status === 'FAILED' && end.type === 'CustomNonRetryableError');
  });
});
