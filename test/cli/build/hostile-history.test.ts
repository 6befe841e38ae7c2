/** Histories as another client or worker can make them: each payload in turn holds a value that ours never has. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import { describeChange } from '../../../src/cli/build/follow.ts';
import { nextStep } from '../../../src/cli/build/next-step.ts';
import { buildScreen } from '../../../src/cli/build/show.ts';
import { newBuildState, takeEvent } from '../../../src/cli/build/state.ts';
import { viewOfTemporal } from '../../../src/cli/build/view.ts';
import { interpret } from '../../../src/cli/commands/doctor/actual-state.ts';
import { diagnose } from '../../../src/cli/commands/doctor/diagnose.ts';
import { observationOf } from '../../../src/cli/commands/doctor/observation.ts';
import { traceOf } from '../../../src/cli/commands/doctor/trace.ts';
import { payloadReader, tolerant } from '../../../src/cli/temporal/payloads.ts';
import { attributeFaults } from '../../../src/records/attributes.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const FOLDER = new URL('../../replay/histories/', import.meta.url);
const READER = payloadReader(tolerant(loadDataConverter()), 'default', 'any');
const UNPRINTABLE = { toString: 1, valueOf: 1 };
const ERROR_INFO = { Error: 'BuildFailed', Cause: 'x'.repeat(40_000), sent_to: 'canary', more: 'canary' };
const OUTCOME = { status: 'FAILED', polls: 1, contested: false, build_id: '..', directory_group: { name: 'canary' } };
const VALUES: readonly unknown[] = [
  null,
  5,
  'text',
  [],
  {},
  [null],
  { status: 'FAILED', error_info: 5 },
  { status: 'COMPLETE', build_id: 7 },
  { status: 'FAILED', error_info: { Error: 'BuildFailed' }, directory_group: 'text' },
  { build_id: { a: 1 } },
  { build_body: { account_id: UNPRINTABLE }, ddb_composite_sort_key: 'x' },
  { activity_type: 'getBuildStatus', attempt: UNPRINTABLE },
  { ...OUTCOME, error_info: ERROR_INFO },
  { ...OUTCOME, status: 'COMPLETE' },
  ERROR_INFO,
];
const STRANGE: readonly Payload[] = [
  ...VALUES.map((value) => defaultPayloadConverter.toPayload(value)),
  { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('no JSON') },
  { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('['.repeat(20_000) + ']'.repeat(20_000)) },
  { metadata: { encoding: Buffer.from('json/protobuf') }, data: Buffer.from('{}') },
  {},
];

/** The place of a payload: its object, its key and the path. */
interface Place {
  holder: Record<string, Payload>;
  key: string;
  way: string;
}

function placesIn(value: unknown, way: string): Place[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) =>
    typeof inner === 'object' && inner !== null && 'metadata' in inner && 'data' in inner
      ? [{ holder: value as Record<string, Payload>, key, way: `${way}.${key}` }]
      : placesIn(inner, `${way}.${key}`),
  );
}

async function readAll(events: readonly HistoryEvent[]): Promise<void> {
  const build = newBuildState();
  for (const event of events) {
    await takeEvent(build, event, READER);
    assert.doesNotMatch(describeChange(build), /^$|undefined/);
  }
  const view = viewOfTemporal('role-build:123456789012:iam_role#x', build);
  const shown = { ...view, ...nextStep({ ...view, execution_status: 'FAILED' }, build.input) };
  assert.ok(JSON.stringify(shown).length > 0);
  assert.ok(buildScreen(shown, { columns: 80, colours: false }).length > 0);

  async function* all() {
    yield* events;
  }
  const actual = interpret({ workflow_id: 'w', is_latest: true, trace: await traceOf(all(), READER) });
  const { job_id = '' } = build;
  const record = { account_id: '123456789012', resource: 'iam_role#x', job_id, status: 'IN_PROGRESS' };
  const observation = observationOf(job_id, { status: record, history: undefined }, actual);
  for (const { table, set } of diagnose(observation, undefined, Date.now()).flatMap(({ writes }) => writes)) {
    const faults = [...attributeFaults(table, { ...record, ...set }).keys()].filter((name) => name in set);
    const text = JSON.stringify(set);
    assert.deepEqual(faults, [], `doctor would write ${text}`);
    assert.ok(!text.includes('canary') && text.length < 34_000, `doctor would write ${text}`);
  }
}

/** The places of payloads in the committed histories, one of each kind, with its history. */
function placesOfHistories() {
  const places = new Map<string, Place & { events: readonly HistoryEvent[] }>();
  for (const file of readdirSync(FOLDER)) {
    const { events } = historyFromJSON(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));
    const names = new Map<string, string>();
    for (const event of events ?? []) {
      const { activityType } = event.activityTaskScheduledEventAttributes ?? {};
      if (activityType?.name) names.set(String(event.eventId), activityType.name);
      const of = event.activityTaskCompletedEventAttributes ?? event.activityTaskFailedEventAttributes;
      const name = activityType?.name ?? names.get(String(of?.scheduledEventId)) ?? '';
      for (const place of placesIn(event, name)) places.set(place.way, { ...place, events: events ?? [] });
    }
  }
  return [...places.values()];
}

describe('a history of another client', () => {
  for (const { way, holder, key, events } of placesOfHistories()) {
    it(`a history of another client with any value at ${way} is read and shown, and no record gets the value`, async () => {
      const ours = holder[key] as Payload;
      for (const strange of STRANGE) {
        holder[key] = strange;
        await readAll(events).catch((cause: unknown) => {
          throw new Error(`with ${JSON.stringify(strange)}`, { cause });
        });
      }
      holder[key] = ours;
    });
  }

  it("a history of another client with a failure of another form than the SDK's is read and shown", async () => {
    let failures = 0;
    for (const file of readdirSync(FOLDER)) {
      const { events = [] } = historyFromJSON(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));
      for (const event of events ?? []) {
        const failed = event.activityTaskFailedEventAttributes ?? event.workflowExecutionFailedEventAttributes;
        if (!failed?.failure) continue;
        failures += 1;
        failed.failure = { message: 'odd', cause: { childWorkflowExecutionFailureInfo: {} } };
      }
      await readAll(events ?? []);
    }
    assert.ok(failures > 5);
  });
});
