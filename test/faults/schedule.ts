/** Generates random schedules of starts and faults. */
import * as fc from 'fast-check';
import type { Fault, Simulate } from '../../dev/simulated-build-api/server.ts';
import type { DynamoDbFault } from '../support/dynamodb-proxy.ts';

/** A planned start. Several may have the same resource or the same request ID. */
export interface PlannedStart {
  atMs: number;
  /** 0 to {@link RESOURCES} - 1. */
  resource: number;
  /** `false` for the request ID that all such starts of a resource share. */
  ownRequest: boolean;
  by: 'command line' | 'client';
  simulate: Simulate;
  pollSeconds: number;
  deadlineSeconds: number | undefined;
  cancelAfterMs: number | undefined;
}

/** Faults of a process or a port, which is then away for a time. */
export const EVENT_KINDS = [
  'kill worker',
  'kill worker',
  'stop worker',
  'kill Temporal',
  'refuse DynamoDB',
  'refuse build API',
] as const;

export interface Event {
  kind: (typeof EVENT_KINDS)[number];
  atMs: number;
  awayMs: number;
}

export interface Schedule {
  starts: PlannedStart[];
  /** The faults of the calls of DynamoDB, in order; later calls are forwarded. */
  dynamoDb: (DynamoDbFault | null)[];
  events: Event[];
  /** Whether builds continue as new every few polls. */
  continuesAsNew: boolean;
}

export const RESOURCES = 6;
/** All starts and events begin within this time. */
const SPAN_MS = { long: 12_000, short: 6_000 };
/** The workers' `BUILD_API_TIMEOUT_SECONDS`: longer than the delays of generated faults, so that only a hang exceeds it. */
export const TIMEOUT_SECONDS = 2;

/** Uses the arbitrary in one of four cases. */
const seldom = <T, N>(arbitrary: fc.Arbitrary<T>, otherwise: N) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });

const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>({ status: 500 }, { status: 502 }, { status: 503 }, { status: 504 }),
  fc.constantFrom<Fault>({ status: 408 }, { status: 425 }, { status: 429 }),
  fc.constantFrom<Fault>(
    { status: 429, headers: { 'retry-after': '1' } },
    { status: 503, headers: { 'retry-after': '5' } },
  ),
  fc.constantFrom<Fault>({ drop: 'before' }, { drop: 'after' }, { drop: 'mid-body' }, { drop: 'reset-mid-body' }),
  fc.constantFrom<Fault>({ hang: true }, { hang: true, takes_effect: false }, { delay_ms: 1_500 }),
  fc.constantFrom<Fault>(
    { status: 302, headers: { location: 'http://127.0.0.1:9/' } },
    { text: '<html>sign in</html>' },
    { text: '{"build_id": "1' },
    { bytes: 2 * 1024 * 1024 },
    { body: [] },
    { status: 400 },
    { status: 404 },
  ),
);
const faults = (max: number) => fc.array(seldom(anyFault, null), { maxLength: max, size: 'max' });

const simulate: fc.Arbitrary<Simulate> = fc.record({
  polls: fc.nat({ max: 4 }),
  outcome: fc.constantFrom('SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'FAILED', 'NEVER'),
  trigger: faults(3),
  status: faults(5),
});

const starts = (spanMs: number): fc.Arbitrary<PlannedStart> =>
  fc.record({
    atMs: fc.nat({ max: spanMs }),
    resource: fc.nat({ max: RESOURCES - 1 }),
    ownRequest: seldom(fc.constant(false), true),
    by: fc.constantFrom('client', 'client', 'command line'),
    simulate,
    pollSeconds: fc.constantFrom(1, 1, 2),
    deadlineSeconds: seldom(fc.integer({ min: 1, max: 10 }), undefined),
    cancelAfterMs: seldom(fc.integer({ min: 0, max: 6_000 }), undefined),
  });

const dynamoDbFaults = (isShort: boolean) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom<DynamoDbFault>('throttle', 'refuse', 'lose-answer') },
    { weight: isShort ? 0 : 1, arbitrary: fc.constantFrom<DynamoDbFault>('hang', 'hang-after', 'late') },
  );

const events = (spanMs: number, longestMs: number): fc.Arbitrary<Event> =>
  fc.record({
    kind: fc.constantFrom(...EVENT_KINDS),
    atMs: fc.nat({ max: spanMs }),
    awayMs: fc.integer({ min: 200, max: longestMs }),
  });

/**
 * Generates schedules in which all builds end soon after the last fault.
 *
 * @param isShort leaves out faults that take minutes: outages that outlast all attempts at a write, calls that hang
 */
export function schedules(isShort: boolean): fc.Arbitrary<Schedule> {
  const spanMs = isShort ? SPAN_MS.short : SPAN_MS.long;
  // Without fast-check's bias towards small values, since each seed generates only one schedule.
  return fc
    .noBias(
      fc.record({
        starts: fc.array(starts(spanMs), { minLength: 1, maxLength: 16, size: 'max' }),
        dynamoDb: fc.array(seldom(dynamoDbFaults(isShort), null), { maxLength: 80, size: 'max' }),
        events: fc.array(events(spanMs, isShort ? 3_000 : 10_000), { maxLength: 6, size: 'max' }),
        continuesAsNew: fc.boolean(),
      }),
    )
    .map((schedule) => ({ ...schedule, starts: schedule.starts.map((one) => bounded(schedule.starts, one)) }));
}

/** The API makes one build of each request ID. If that build never ends, each job that shares it gets a deadline. */
function bounded(all: readonly PlannedStart[], one: PlannedStart): PlannedStart {
  const sharers = one.ownRequest ? [one] : all.filter(({ ownRequest }) => !ownRequest);
  const never = sharers.some(({ simulate: { outcome } }) => outcome === 'NEVER');
  return never ? { ...one, deadlineSeconds: one.deadlineSeconds ?? 8 } : one;
}
