import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { STEP_RETRY } from '../domain/retries.ts';

const retry = {
  initialInterval: STEP_RETRY.firstMs,
  backoffCoefficient: STEP_RETRY.backoffCoefficient,
  maximumAttempts: STEP_RETRY.attempts,
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
 * A local activity: a poll then leaves 6 history events instead of 11. How many polls there were stands in the current
 * details, not in the summary. Every backoff is a timer, since a cancellation or a deadline that comes while a workflow task
 * is worked on shows 8 s later, after the next attempt.
 */
export const poll = {
  startToCloseTimeout: BUILD_API_START_TO_CLOSE,
  localRetryThreshold: '1 millisecond',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'GET /build/{build_id}',
} satisfies LocalActivityOptions;

/** Its queue is polled by workers with a directory alone, and there may be none. Ten attempts of a worker bind in turn. */
export const directoryCheck = {
  scheduleToStartTimeout: '60 seconds',
  startToCloseTimeout: '10 minutes',
  retry,
  summary: "is the group's name free?",
} satisfies ActivityOptions;

export const directoryEnsure = {
  ...directoryCheck,
  heartbeatTimeout: trigger.heartbeatTimeout,
  retry: { ...retry, nonRetryableErrorTypes: ['CancelledFailure'] },
  summary: 'add the group',
} satisfies ActivityOptions;

/** The check of a carried input; it is retried until it is answered. */
export const checkOfCarried = {
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
} satisfies LocalActivityOptions;

/**
 * How long a put that was given up may still be on its way. An attempt waits 10 s for its answer; one that is carried out only
 * after the end was written would leave a record IN_PROGRESS for ever.
 */
export const LATE_PUT_MS = 15_000;
