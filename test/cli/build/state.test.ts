/** What a history's events say about a build's steps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultDataConverter } from '@temporalio/common';
import { describeChange } from '../../../src/cli/build/follow.ts';
import { newBuildState, takeEvent, type HistoryEvent } from '../../../src/cli/build/state.ts';
import { payloadReader } from '../../../src/cli/temporal/payloads.ts';

const reader = payloadReader(defaultDataConverter, 'default', 'role-build:123456789012:iam_role#x');
const AT = '2026-09-21T14:13:20.000Z';
const eventTime = { seconds: Date.parse(AT) / 1000, nanos: 0 } as never;

/** @returns the steps, and the lines of `watch` */
async function read(...events: HistoryEvent[]) {
  const build = newBuildState();
  const lines: string[] = [];
  for (const event of events) {
    if (await takeEvent(build, { eventTime, ...event }, reader)) lines.push(describeChange(build));
  }
  return { steps: build.steps, lines };
}

const scheduled = (name: string): HistoryEvent => ({
  activityTaskScheduledEventAttributes: { activityType: { name } },
});
const trigger = { step: 'TriggerBuild', attempts: 1, started_at: AT };

describe('a step', () => {
  it('a step that a cancel cut short before its next attempt has failed, before the build has ended', async () => {
    const { steps, lines } = await read(
      scheduled('triggerBuild'),
      { workflowExecutionCancelRequestedEventAttributes: { identity: 'me' } },
      { activityTaskCanceledEventAttributes: {} },
      scheduled('updateCancelledRecord'),
    );
    assert.deepEqual(steps, [
      { ...trigger, state: 'failed', ended_at: AT, failure: 'cancelled' },
      { step: 'UpdateCancelledRecord', attempts: 1, started_at: AT, state: 'running' },
    ]);
    assert.deepEqual(lines, ['TriggerBuild …', 'TriggerBuild failed: cancelled', 'UpdateCancelledRecord …']);
  });

  it('a step that was under way when the workflow was closed from outside has failed with it', async () => {
    for (const closed of [
      { workflowExecutionTerminatedEventAttributes: {} },
      { workflowExecutionTimedOutEventAttributes: {} },
    ]) {
      const { steps } = await read(scheduled('triggerBuild'), closed);
      assert.deepEqual(steps, [{ ...trigger, state: 'failed', ended_at: AT }]);
    }
  });
});
