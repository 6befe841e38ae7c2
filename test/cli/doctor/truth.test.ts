import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import type { PayloadReader } from '../../../src/cli/build-history.ts';
import { traceOf } from '../../../src/cli/doctor/trace.ts';
import { interpret, type Truth } from '../../../src/cli/doctor/truth.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const FOLDER = new URL('../../replay/histories/', import.meta.url);
const READER: PayloadReader = {
  converter: loadDataConverter(),
  context: { type: 'workflow', namespace: 'default', workflowId: 'any' },
};
const EXECUTION = { workflow_id: 'w', run_id: 'r', first_run_id: 'r', status: 'TERMINATED', is_latest: true };
const TERMINATED: HistoryEvent = {
  workflowExecutionTerminatedEventAttributes: { identity: 'operator@host', reason: 'enough' },
};

function eventsOf(file: string): HistoryEvent[] {
  return historyFromJSON(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))).events ?? [];
}

async function truthOf(events: HistoryEvent[]): Promise<Truth> {
  async function* all() {
    yield* events;
  }
  return interpret(EXECUTION, await traceOf(all(), READER));
}

describe('what a history proves', () => {
  for (const file of readdirSync(FOLDER)) {
    it(`${file}: wherever it is cut off by a termination, no other end than its own`, async () => {
      const events = eventsOf(file);
      const whole = await truthOf(events);
      // Handed something by an earlier run, or by the job that it resumes.
      const goesOn = (events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.length ?? 0) > 1;
      for (let length = 1; length < events.length; length += 1) {
        const cut = events.slice(0, length);
        const { state, end, how, trace } = await truthOf([...cut, TERMINATED]);
        assert.ok(state === 'ended' || state === 'lost', `${length}: ${state}`);
        assert.match(how, /^was terminated by operator@host \("enough"\)/);
        const isScheduled = (name: string) =>
          cut.some((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === name);
        assert.equal(trace?.triggered, isScheduled('triggerBuild') || goesOn, String(length));
        if (state === 'ended') {
          assert.deepEqual(
            { status: end?.status, error: end?.error_info?.Error },
            { status: whole.end?.status, error: whole.end?.error_info?.Error },
            String(length),
          );
        } else {
          assert.ok(
            !/updateSuccessful|updateFailed|updateCancelled/.test(
              cut.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name).join(),
            ),
          );
        }
        assert.equal((await truthOf(cut)).state, 'running');
      }
    });
  }

  it('is nothing by activities of others, whatever they are called', async () => {
    const events = eventsOf('success.1.json').slice(0, 4);
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
    const others = names.map((name): HistoryEvent => ({
      activityTaskScheduledEventAttributes: { activityType: { name } },
    }));
    const { trace } = await truthOf([...events, ...others, TERMINATED]);
    assert.deepEqual(trace?.puts, { status: 'absent', history: 'absent' });
    assert.equal(trace?.decided, undefined);
    assert.deepEqual(
      trace?.build.steps.map(({ step }) => step),
      names,
    );
  });

  it('of a run that was reset to before its POST, not that there was none', async () => {
    const events = eventsOf('success.1.json').slice(0, 5);
    const reset: HistoryEvent = { workflowTaskFailedEventAttributes: { newRunId: 'r' } };
    assert.equal((await truthOf([...events, TERMINATED])).trace?.triggered, false);
    assert.equal((await truthOf([...events, reset, TERMINATED])).trace?.triggered, true);
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
    it(`${file}: ${state} ${status ?? ''}`, async () => {
      const truth = await truthOf(eventsOf(file));
      assert.equal(truth.state, state, truth.how);
      assert.equal(truth.end?.status, status);
      assert.equal(truth.end?.error_info?.Error, error);
      assert.equal((truth.end?.build_id ?? truth.trace?.build.build_id) !== undefined, build);
    });
  }
});
