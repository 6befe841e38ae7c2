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

/** A DynamoDB call is given up after 10 s. A dead worker delays a write by no more than this. */
export const recordWrite = {
  startToCloseTimeout: '15 seconds',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
} satisfies ActivityOptions;

/** Heartbeats reveal a dead worker within 15 s. A cancellation waits for the POST, so that its answer is kept. */
export const trigger = {
  startToCloseTimeout: BUILD_API_START_TO_CLOSE,
  heartbeatTimeout: '15 seconds',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'POST /build',
} satisfies ActivityOptions;

/**
 * Polls are local activities, so that each leaves 6 history events instead of 11. The current details show the number
 * of polls. Every backoff is a timer. During a backoff inside a workflow task, the workflow would see a cancellation or
 * a deadline only 8 s later, after the next attempt.
 */
export const poll = {
  startToCloseTimeout: BUILD_API_START_TO_CLOSE,
  localRetryThreshold: '1 millisecond',
  retry,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'GET /build/{build_id}',
} satisfies LocalActivityOptions;

/** Only workers with a directory poll this queue; there may be none. A worker's ten attempts bind in turn. */
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

/** For the check of a carried input, which is retried without limit. */
export const checkOfCarried = {
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
} satisfies LocalActivityOptions;

/**
 * How long an abandoned put may still take effect: an attempt waits 10 s for its answer. A put that takes effect after
 * the end was written would leave a record IN_PROGRESS forever.
 */
export const LATE_PUT_MS = 15_000;
