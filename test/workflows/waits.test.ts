import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { RunningBuild } from '../support/running-build.ts';
import { times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const UNDECIDED = { can_retry: true, build_status: 'IN_PROGRESS' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

/** Returns the waits from the end of the POST to the first poll, and from each poll's end to the next. */
function waitsMs(build: RunningBuild): number[] {
  const steps = [...build.attemptsAt('triggerBuild'), ...build.attemptsAt('getBuildStatus')];
  return steps.slice(1).map(({ startedMs }, index) => startedMs - (steps[index]?.endedMs ?? Infinity));
}

/** Asserts that no step came early. How late a step comes depends on the server. */
async function assertWaits(build: RunningBuild, expectedMs: number[]): Promise<void> {
  assert.deepEqual(await build.timersMs(), expectedMs);
  const waits = waitsMs(build);
  assert.equal(waits.length, expectedMs.length);
  for (const [index, waitMs] of waits.entries()) {
    assert.ok(waitMs >= (expectedMs[index] ?? Infinity), `waits ${waits.join(', ')} ms`);
  }
}

describe('the wait before a poll', () => {
  it('the wait before a poll is 60 s, before the first poll too, and from the end of a poll that took long', async (t) => {
    const slow = async () => {
      await environment.sleep(5_000);
      return UNDECIDED;
    };
    const build = await environment.start(t, { getBuildStatus: [UNDECIDED, slow, UNDECIDED] });
    await build.end();
    const [, second] = build.attemptsAt('getBuildStatus');
    assert.ok(second?.endedMs !== undefined && second.endedMs - second.startedMs >= 5_000);
    await assertWaits(build, times(4, 60_000));
  });

  for (const seconds of [1, 7, 3600]) {
    it(`the wait before a poll is poll_interval_seconds if that is ${seconds}`, async (t) => {
      const options = { input: { poll_interval_seconds: seconds } };
      const build = await environment.start(t, { getBuildStatus: [UNDECIDED] }, options);
      await build.end();
      await assertWaits(build, times(2, seconds * 1000));
    });
  }
});

describe('poll_spread_seconds', () => {
  const spread = async (t: Parameters<WorkflowEnvironment['start']>[0], resource: string, seconds: number) => {
    const options = { input: { ddb_composite_sort_key: resource, poll_spread_seconds: seconds } };
    const build = await environment.start(t, { getBuildStatus: times(2, UNDECIDED) }, options);
    await build.end();
    const [first = NaN] = await build.timersMs();
    await assertWaits(build, [first, 60_000, 60_000]);
    return first - 60_000;
  };

  it('poll_spread_seconds delays the first poll by at most itself, and no later poll', async (t) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const offMs = await spread(t, `spread-${name}`, 30);
      assert.ok(offMs >= 0 && offMs <= 30_000, `${offMs} ms`);
    }
  });

  it('poll_spread_seconds spreads builds apart', async (t) => {
    const offsMs: number[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      offsMs.push(await spread(t, `apart-${name}`, 3600));
    }
    const minutes = new Set(offsMs.map((offMs) => Math.floor(offMs / 60_000)));
    assert.ok(minutes.size >= 4, `${offsMs.join(', ')} ms`);
  });

  it('poll_spread_seconds delays builds with the same workflow ID by the same time', async (t) => {
    const first = await spread(t, 'the-same', 3600);
    const second = await spread(t, 'the-same', 3600);
    assert.equal(first, second);
    assert.ok(first > 0);
  });
});

describe('a poll that gets a Retry-After', () => {
  const after5Minutes = ApplicationFailure.create({
    message: 'the build API answered 429',
    type: 'BuildApiUnavailable',
    nextRetryDelay: '5 minutes',
  });

  it('a poll that gets a Retry-After is retried no sooner, and counts once', async (t) => {
    const build = await environment.start(t, { getBuildStatus: times(2, after5Minutes) });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 1);
    await assertWaits(build, [60_000, 300_000, 300_000]);
    assert.deepEqual(
      build.attemptsAt('getBuildStatus').map(({ attempt }) => attempt),
      [1, 2, 3],
    );
  });

  it('a poll that gets a Retry-After is still given up after three attempts', async (t) => {
    const build = await environment.start(t, { getBuildStatus: times(9, after5Minutes) });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable');
    assert.equal(build.attemptsAt('getBuildStatus').length, 3);
  });
});
