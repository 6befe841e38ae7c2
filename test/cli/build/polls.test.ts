/** What a history's markers say about a build's polls. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultDataConverter, defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { newBuildState, recordOf, takeEvent, type BuildState } from '../../../src/cli/build/state.ts';
import { traceOf } from '../../../src/cli/commands/doctor/trace.ts';
import { describeChange } from '../../../src/cli/build/follow.ts';
import { payloadReader } from '../../../src/cli/temporal/payloads.ts';
import { WAIT_SUMMARY } from '../../../src/contract.ts';
import type { BuildStatusAnswer } from '../../../src/domain/build-status.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const reader = payloadReader(defaultDataConverter, 'default', 'role-build:123456789012:iam_role#x');

const payloads = (value: unknown) => ({ payloads: [defaultPayloadConverter.toPayload(value)] });
const at = (seconds: number) => ({ eventTime: { seconds: 1_790_000_000 + seconds, nanos: 0 } as never });

function wait(second: number): HistoryEvent {
  return {
    ...at(second),
    timerStartedEventAttributes: { startToFireTimeout: { seconds: 60 as never } },
    userMetadata: { summary: defaultPayloadConverter.toPayload(WAIT_SUMMARY) },
  };
}

function polled(second: number, answer: BuildStatusAnswer, attempt: number | null = 1): HistoryEvent {
  const data = payloads({ seq: 1, attempt, activity_type: 'getBuildStatus' });
  const details = { data, result: payloads(answer) };
  return { ...at(second), markerRecordedEventAttributes: { markerName: 'core_local_activity', details } };
}

const triggered: HistoryEvent[] = [
  { ...at(0), activityTaskScheduledEventAttributes: { activityType: { name: 'triggerBuild' } } },
  { ...at(1), activityTaskCompletedEventAttributes: { result: payloads({ build_id: 'b-1' }) } },
];
const putOff = (second: number) => polled(second, { can_retry: true, build_status: null, put_off: true });
const answered = (second: number, build_status: string | null) => polled(second, { can_retry: true, build_status });
const patch = (second: number): HistoryEvent => ({
  ...at(second),
  markerRecordedEventAttributes: {
    markerName: 'core_patch',
    details: { 'patch-data': payloads({ id: 'show-end-while-last-writes-wait', deprecated: false }) },
  },
});

async function read(events: readonly HistoryEvent[]): Promise<{ build: BuildState; shown: string[] }> {
  const build = newBuildState();
  const shown: string[] = [];
  for (const event of events) if (await takeEvent(build, event, reader)) shown.push(describeChange(build));
  return { build, shown };
}

describe('a poll that was deferred', () => {
  it('a poll that was deferred is not an answer: it is not counted, shown or taken for a step', async () => {
    const { build, shown } = await read([...triggered, wait(1), putOff(61), wait(61), putOff(121), wait(121)]);
    assert.equal(build.polls, 0);
    assert.equal(build.last_status, undefined);
    assert.deepEqual(
      build.steps.map(({ step, state, polls, last_status }) => ({ step, state, polls, last_status })),
      [
        { step: 'TriggerBuild', state: 'done', polls: undefined, last_status: undefined },
        { step: 'WaitForBuildStatus', state: 'waiting', polls: undefined, last_status: undefined },
      ],
    );
    assert.ok(!shown.some((line) => line.includes('GetBuildStatus')), shown.join('\n'));
  });

  it('a poll that was deferred leaves the last answer and its time as they were', async () => {
    const { build, shown } = await read([
      ...triggered,
      wait(1),
      answered(61, 'PENDING'),
      wait(61),
      putOff(121),
      wait(121),
    ]);
    assert.deepEqual([build.polls, build.last_status], [1, 'PENDING']);
    const poll = build.steps.find(({ step }) => step === 'GetBuildStatus');
    assert.deepEqual([poll?.polls, poll?.last_status, poll?.ended_at], [1, 'PENDING', '2026-09-21T14:14:21.000Z']);
    assert.deepEqual(
      shown.filter((line) => line.startsWith('GetBuildStatus')),
      ['GetBuildStatus: poll 1, PENDING'],
    );
    assert.equal(build.next_poll_at, '2026-09-21T14:16:21.000Z');
  });

  it('a poll that was deferred after one that failed is no longer shown as retried', async () => {
    const note = payloads({ seq: 1, attempt: 1, activity_type: 'getBuildStatus', backoff: { seconds: 3, nanos: 0 } });
    const details = { data: note };
    const failing: HistoryEvent = {
      ...at(61),
      markerRecordedEventAttributes: { markerName: 'core_local_activity', details, failure: { message: '503' } },
    };
    const { build: failed } = await read([...triggered, wait(1), failing]);
    assert.equal(failed.next_attempt_at, '2026-09-21T14:14:24.000Z');
    const { build } = await read([...triggered, wait(1), failing, putOff(64), wait(64)]);
    assert.deepEqual([build.next_attempt_at, build.next_poll_at], [undefined, '2026-09-21T14:15:24.000Z']);
  });

  it('a poll that was deferred decides nothing for doctor', async () => {
    async function* events() {
      yield* [...triggered, wait(1), putOff(61)];
    }
    const { decided, step, build } = await traceOf(events(), reader);
    assert.equal(decided, undefined);
    assert.equal(step, 'WaitForBuildStatus');
    assert.equal(build.polls, 0);
  });
});

it('an answer without a build_status is an answer', async () => {
  const { build } = await read([...triggered, wait(1), answered(61, null)]);
  assert.deepEqual([build.polls, build.last_status], [1, '(none)']);
});

it('a poll whose marker has no attempt number counts as one attempt', async () => {
  const { build } = await read([...triggered, wait(1), polled(61, { can_retry: true, build_status: null }, null)]);
  assert.equal(build.current?.attempts, 1);
});

it("a patch's marker is not a poll", async () => {
  const { build, shown } = await read([...triggered, wait(1), answered(61, 'PENDING'), wait(61), patch(121)]);
  assert.deepEqual([build.polls, build.last_status, build.current?.step], [1, 'PENDING', 'WaitForBuildStatus']);
  assert.equal(shown.filter((line) => line.startsWith('GetBuildStatus')).length, 1);
});

describe('a run that continued as new', () => {
  it('a run that continued as new leaves its build in progress', async () => {
    const next: HistoryEvent = {
      ...at(61),
      workflowExecutionContinuedAsNewEventAttributes: { newExecutionRunId: 'r-2' },
    };
    const { build } = await read([...triggered, wait(1), answered(61, 'IN_PROGRESS'), next]);
    assert.equal(recordOf(build).status, 'IN_PROGRESS');
    assert.equal(describeChange(build), 'GetBuildStatus: poll 1, IN_PROGRESS');
  });
});
