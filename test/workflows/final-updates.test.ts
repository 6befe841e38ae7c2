import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { RoleBuildActivities } from '../../src/activities/types.ts';
import type { RunningBuild } from '../support/running-build.ts';
import type { Attempt, Script } from '../support/scripted-activities.ts';
import { always, Held, times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const HOUR_MS = 3_600_000;

const failure = ApplicationFailure.create({ type: 'RecordWriteFailed', message: 'DynamoDB did not answer' });
const failedBuild: Script = { getBuildStatus: [{ can_retry: false, build_status: 'FAILED', answer: '{}' }] };
const undecided: Script = { getBuildStatus: always({ can_retry: true, build_status: 'QUEUED' }) };

/** The activities that write each end, and how a build reaches it. */
const ENDINGS = [
  { writes: ['updateSuccessfulRecord', 'updateSuccessfulHistory'], script: {}, cancel: false, end: 'COMPLETED' },
  { writes: ['updateFailedRecord', 'updateFailedHistory'], script: failedBuild, cancel: false, end: 'FAILED' },
  { writes: ['updateCancelledRecord', 'updateCancelledHistory'], script: undecided, cancel: true, end: 'CANCELLED' },
] as const satisfies { writes: (keyof RoleBuildActivities)[]; script: Script; cancel: boolean; end: string }[];

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

async function run(t: TestContext, script: Script, cancel: boolean) {
  const build = await environment.start(t, script);
  if (cancel) {
    await build.untilEvent('timerStartedEventAttributes');
    await build.handle.cancel();
  }
  return { build, end: await build.end() };
}

/** Returns the set length of each wait since the first final record update, in seconds. */
async function waitsOf(build: RunningBuild): Promise<number[]> {
  const events = (await build.runs()).flat();
  const first = events.findIndex(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled?.activityType?.name?.startsWith('update'),
  );
  return events
    .slice(first)
    .flatMap(({ timerStartedEventAttributes: timer }) => (timer ? [tsToMs(timer.startToFireTimeout) / 1_000] : []));
}

describe('a final record update that fails', () => {
  for (const { writes, script, cancel, end } of ENDINGS) {
    for (const write of writes) {
      it(`a final record update that fails is made again until it is right, less and less often: ${write}`, async (t) => {
        const { build, end: seen } = await run(t, { ...script, [write]: times(24, failure) }, cancel);
        const attempts = build.attemptsAt(write);
        assert.equal(attempts.length, 25);
        assert.deepEqual(
          attempts.map(({ attempt }) => attempt),
          [...times(8, [1, 2, 3]).flat(), 1],
        );
        assert.deepEqual(await waitsOf(build), [30, 60, 120, 240, 480, 600, 600, 600]);
        assert.equal(seen.status, end);
      });
    }

    it(`a final record update that fails delays ${writes[1]} until the status record is right, whose waits begin anew`, async (t) => {
      const answers = { [writes[0]]: times(9, failure), [writes[1]]: times(6, failure) };
      const { build } = await run(t, { ...script, ...answers }, cancel);
      const lastSteps = build.steps.filter((step) => step.startsWith('update'));
      assert.deepEqual(lastSteps, [...times(10, writes[0]), ...times(7, writes[1])]);
      assert.deepEqual(await waitsOf(build), [30, 60, 120, 30, 60]);
    });
  }

  it('a final record update that fails for hours is right in the end', async (t) => {
    const brokenUntilMs = (await environment.nowMs()) + 4 * HOUR_MS;
    const broken = async ({ startedMs }: Attempt) => {
      if (startedMs < brokenUntilMs) throw failure;
      return null;
    };
    const { build, end } = await run(t, { updateSuccessfulRecord: always(broken) }, false);
    assert.ok(end.status === 'COMPLETED' && end.outcome.status === 'COMPLETE');
    const written = build.attemptsAt('updateSuccessfulRecord').at(-1);
    const lateMs = (written?.endedMs ?? NaN) - brokenUntilMs;
    assert.ok(lateMs >= 0 && lateMs < 610_000, `written ${lateMs} ms after it could be`);
    const waits = await waitsOf(build);
    assert.ok(waits.length > 20 && Math.max(...waits) === 600, waits.join());
    assert.deepEqual(build.steps.at(-1), 'updateSuccessfulHistory');
  });
});

describe('a cancellation', () => {
  it('a cancellation while a final record update is under way changes nothing', async (t) => {
    const held = new Held<'updateSuccessfulRecord'>();
    const build = await environment.start(t, { updateSuccessfulRecord: [held.answer] });
    const ended = build.end();
    await held.began();
    await build.handle.cancel();
    await build.untilEvent('workflowExecutionCancelRequestedEventAttributes');
    held.succeed(null);
    const end = await ended;
    assert.ok(end.status === 'COMPLETED' && end.outcome.status === 'COMPLETE');
    assert.deepEqual(build.steps.slice(-2), ['updateSuccessfulRecord', 'updateSuccessfulHistory']);
  });

  for (const { writes, script, end } of ENDINGS.filter(({ cancel }) => !cancel)) {
    it(`a cancellation while ${writes[1]} waits for its next attempt changes nothing`, async (t) => {
      const quick = { poll_interval_seconds: 1 };
      const build = await environment.start(t, { ...script, [writes[1]]: times(3, failure) }, { input: quick });
      await build.sleepUntilAttempted(environment, writes[1], 3);
      await build.untilEvent('timerStartedEventAttributes', 2);
      await build.handle.cancel();
      assert.equal((await build.end()).status, end);
      assert.equal(build.attemptsAt(writes[1]).length, 4);
      assert.deepEqual(await waitsOf(build), [30]);
      assert.ok(build.steps.every((step) => !step.startsWith('updateCancelled')));
    });
  }

  it("a cancellation asked a second time changes nothing while the first one's final record updates wait", async (t) => {
    const build = await environment.start(t, { updateCancelledRecord: times(4, failure) });
    await build.untilEvent('timerStartedEventAttributes');
    await build.handle.cancel();
    await build.sleepUntilAttempted(environment, 'updateCancelledRecord', 3);
    await build.handle.cancel();
    assert.deepEqual(await build.end(), { status: 'CANCELLED' });
    assert.equal(build.attemptsAt('updateCancelledRecord').length, 5);
    assert.equal(build.attemptsAt('requestOwnCancellation').length, 0);
  });
});
