import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { LAST_WRITE_WAIT_MAX_MS } from '../domain/progress.ts';

/** The original's `Retry` of every Task state: three attempts, after 3 s and 6 s. */
const retry = {
  initialInterval: '3 seconds',
  backoffCoefficient: 2,
  maximumAttempts: 3,
  nonRetryableErrorTypes: ['CustomNonRetryableError'],
} satisfies ActivityOptions['retry'];

/** Just above the longest `BUILD_API_TIMEOUT_SECONDS` allowed, 60. */
const BUILD_API_START_TO_CLOSE = '65 seconds';

/** A DynamoDB call is given up after 10 s; a dead worker costs a write no more than this. */
export const recordWrite = {
  startToCloseTimeout: '15 seconds',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
} satisfies ActivityOptions;

/** Heartbeats, so that a dead worker is noticed in 15 s; a cancellation waits for the POST's answer, to keep it. */
export const trigger = {
  startToCloseTimeout: BUILD_API_START_TO_CLOSE,
  heartbeatTimeout: '15 seconds',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'POST /build',
} satisfies ActivityOptions;

/**
 * A local activity: a poll then leaves 6 history events in place of 11. How many polls there were stands in the current
 * details, not in the summary.
 */
export const poll = {
  startToCloseTimeout: BUILD_API_START_TO_CLOSE,
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'GET /build/{build_id}',
} satisfies LocalActivityOptions;

/** The check of a carried input; it is made until it is answered. */
export const checkOfCarried = {
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
} satisfies LocalActivityOptions;

/**
 * How long a put that was given up may still be on its way. An attempt waits 10 s for its answer; one that is carried out only
 * after the end was written would leave a record IN_PROGRESS for ever.
 */
export const LATE_PUT_MS = 15_000;

/** The durable wait between rounds of attempts at a last write. */
export const LAST_WRITE_WAIT = { firstMs: 30_000, backoffCoefficient: 2, maxMs: LAST_WRITE_WAIT_MAX_MS } as const;
