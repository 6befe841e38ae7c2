import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import { traceOf } from '../../../../src/cli/commands/doctor/trace.ts';
import { interpret, lostEnd, type ActualState } from '../../../../src/cli/commands/doctor/actual-state.ts';
import { payloadReader } from '../../../../src/cli/temporal/payloads.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const FOLDER = new URL('../../../replay/histories/', import.meta.url);
const READER = payloadReader(loadDataConverter(), 'default', 'any');
const TERMINATED: HistoryEvent = {
  workflowExecutionTerminatedEventAttributes: { identity: 'operator@host', reason: 'enough' },
};

function eventsOf(file: string): HistoryEvent[] {
  return historyFromJSON(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))).events ?? [];
}

async function actualStateOf(events: HistoryEvent[]): Promise<ActualState> {
  async function* all() {
    yield* events;
  }
  return interpret({ workflow_id: 'w', is_latest: true, trace: await traceOf(all(), READER) });
}

function endOf(actual: ActualState) {
  return 'end' in actual ? actual.end : undefined;
}

describe('what a history proves', () => {
  for (const file of readdirSync(FOLDER)) {
    it(`a history (${file}) that is cut off by a termination anywhere proves no other end than its own`, async () => {
      const events = eventsOf(file);
      const whole = await actualStateOf(events);
      // A run that carries progress from an earlier run or a resumed job.
      const goesOn = (events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.length ?? 0) > 1;
      for (let length = 1; length < events.length; length += 1) {
        const cut = events.slice(0, length);
        const actual = await actualStateOf([...cut, TERMINATED]);
        const { state, how, run } = actual;
        const end = endOf(actual);
        assert.ok(state === 'ended' || state === 'lost', `${length}: ${state}`);
        assert.match(how, /^was terminated by operator@host \("enough"\)/);
        const isScheduled = (name: string) =>
          cut.some((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === name);
        assert.equal(run?.trace.triggered, isScheduled('triggerBuild') || goesOn, String(length));
        if (state === 'ended') {
          assert.deepEqual(
            { status: end?.status, error: end?.error_info?.Error },
            { status: endOf(whole)?.status, error: endOf(whole)?.error_info?.Error },
            String(length),
          );
        } else {
          assert.ok(
            !/updateSuccessful|updateFailed|updateCancelled/.test(
              cut.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name).join(),
            ),
          );
        }
        assert.equal((await actualStateOf(cut)).state, 'running');
      }
    });
  }

  it('a history proves nothing by activities of other types, whatever their names', async () => {
    const events = eventsOf('success.1.json').slice(0, 4);
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
    const others = names.map((name): HistoryEvent => ({
      activityTaskScheduledEventAttributes: { activityType: { name } },
    }));
    const { run } = await actualStateOf([...events, ...others, TERMINATED]);
    const trace = run?.trace;
    assert.equal(trace?.written.size, 0);
    assert.equal(trace?.decided, undefined);
    assert.deepEqual(
      trace?.build.steps.map(({ step }) => step),
      names,
    );
  });

  it('a history proves which group was recorded, when its end was about to be written and after it', async () => {
    const events = eventsOf('directory-group.1.json');
    const isFinal = ({ activityTaskScheduledEventAttributes: scheduled }: HistoryEvent) =>
      scheduled?.activityType?.name === 'updateSuccessfulRecord';
    const decided = endOf(await actualStateOf([...events.slice(0, events.findIndex(isFinal) + 1), TERMINATED]));
    assert.equal(decided?.directory_group?.outcome, 'created');
    assert.deepEqual(endOf(await actualStateOf(events))?.directory_group, decided.directory_group);
  });

  it('a history proves the domain controller of an unanswered add, for the job that resumes it', async () => {
    const events = eventsOf('directory-group-waited.1.json');
    const sent_to = { name: 'dc1.corp.example.com', address: '10.0.0.1' };
    const details = { payloads: [defaultPayloadConverter.toPayload(sent_to)] };
    const isFailure = (event: HistoryEvent) => Boolean(event.activityTaskFailedEventAttributes);
    const before = events.slice(0, events.findIndex(isFailure));
    for (const failed of [
      { activityTaskFailedEventAttributes: { failure: { applicationFailureInfo: { details } } } },
      { activityTaskTimedOutEventAttributes: { failure: { timeoutFailureInfo: { lastHeartbeatDetails: details } } } },
    ]) {
      const actual = await actualStateOf([...before, failed, TERMINATED]);
      assert.equal(actual.state, 'lost');
      assert.deepEqual(lostEnd(actual, 'b-1', undefined).error_info?.sent_to, sent_to);
    }
    const actual = await actualStateOf([...before, TERMINATED]);
    assert.equal(lostEnd(actual, 'b-1', undefined).error_info?.sent_to, undefined);
  });

  it('a history of a run that was reset to before its POST does not prove that there was no POST', async () => {
    const events = eventsOf('success.1.json').slice(0, 5);
    const reset: HistoryEvent = { workflowTaskFailedEventAttributes: { newRunId: 'r' } };
    assert.equal((await actualStateOf([...events, TERMINATED])).run?.trace.triggered, false);
    assert.equal((await actualStateOf([...events, reset, TERMINATED])).run?.trace.triggered, true);
  });

  for (const [file, state, status, error, build] of [
    ['success.1.json', 'ended', 'COMPLETE', undefined, true],
    ['failed.1.json', 'ended', 'FAILED', 'BuildFailed', true],
    ['trigger-unknown.1.json', 'ended', 'FAILED', 'BuildTriggerUnknown', false],
    ['upsert-failed.1.json', 'ended', 'FAILED', 'RecordWriteFailed', false],
    ['contested.1.json', 'ended', 'FAILED', 'RecordWriteFailed', false],
    ['cancelled-in-wait.1.json', 'ended', 'CANCELLED', undefined, true],
    ['cancelled-in-trigger.1.json', 'ended', 'CANCELLED', undefined, true],
    ['continued-as-new.1.json', 'ended', 'COMPLETE', undefined, true],
    ['continued-as-new-cancelled.1.json', 'ended', 'CANCELLED', undefined, true],
    ['invalid-input.1.json', 'refused', undefined, undefined, false],
    ['continued-as-new.2.json', 'lost', undefined, undefined, true],
  ] as const) {
    it(`a history (${file}) proves: ${state} ${status ?? ''}`, async () => {
      const actual = await actualStateOf(eventsOf(file));
      assert.equal(actual.state, state, actual.how);
      const end = endOf(actual);
      assert.equal(end?.status, status);
      assert.equal(end?.error_info?.Error, error);
      assert.equal((end?.build_id ?? actual.run?.trace.build.build_id) !== undefined, build);
    });
  }
});
