import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { describeUntaken, untakenTask } from '../../../src/cli/build/blocked.ts';

/** A value of `PendingWorkflowTaskState`. */
const [SCHEDULED, STARTED] = [1, 2];

function described(pending: { state: number; attempt: number; agoSeconds: number } | undefined, name = 'RUNNING') {
  const scheduledTime = msToTs(Date.now() - (pending?.agoSeconds ?? 0) * 1000);
  return {
    taskQueue: 'role-builds',
    status: { name },
    raw: pending === undefined ? {} : { pendingWorkflowTask: { ...pending, scheduledTime } },
  } as unknown as WorkflowExecutionDescription;
}

describe('a workflow task', () => {
  for (const [what, execution] of [
    ['there is none', () => described(undefined)],
    ['it was scheduled just now', () => described({ state: SCHEDULED, attempt: 1, agoSeconds: 1 })],
    ['it is worked on, as during a long poll', () => described({ state: STARTED, attempt: 1, agoSeconds: 30 })],
    ['the workflow is paused', () => described({ state: SCHEDULED, attempt: 1, agoSeconds: 30 }, 'PAUSED')],
  ] as const) {
    it(`a workflow task is not reported if ${what}`, () => {
      assert.equal(untakenTask(execution()), undefined);
    });
  }

  it('a workflow task that no worker takes is told apart from one that fails repeatedly, which is mostly under way', () => {
    const untaken = untakenTask(described({ state: SCHEDULED, attempt: 1, agoSeconds: 30 }));
    assert.ok(untaken);
    assert.match(describeUntaken(untaken), /^no worker takes its workflow task, which was scheduled 3\ds ago/);
    const failing = untakenTask(described({ state: STARTED, attempt: 3, agoSeconds: 1 }));
    assert.ok(failing);
    assert.match(describeUntaken(failing), /fails again and again \(attempt 3\)/);
  });
});
