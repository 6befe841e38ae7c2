import type { DirectoryServer } from './directory-group.ts';

/** Who must act on a failure, and how a build that failed so is resumed, if at all. */
export interface Failure {
  move: 'requester' | 'build API' | 'platform';
  /**
   * `poll` goes on polling the recorded `build_id`, since the API may have gone on with the build. `trigger` repeats
   * the POST with the same request ID, since nobody knows whether the API accepted it.
   */
  resume?: 'poll' | 'trigger';
  /** The API may have accepted a POST although no `build_id` is recorded, so `resume` repeats the POST. */
  mayBeTriggered?: true;
}

/**
 * Why a build ended FAILED: every value of `error_info.Error`, which is also the failure type of the workflow and of
 * the activity that saw it. docs/operations.md says what each means.
 */
export const FAILURES = {
  BuildFailed: { move: 'requester' },
  BuildApiUnavailable: { move: 'build API', resume: 'poll' },
  BuildTriggerUnknown: { move: 'build API', resume: 'trigger' },
  CustomNonRetryableError: { move: 'requester' },
  BuildDeadlineExceeded: { move: 'requester', resume: 'poll', mayBeTriggered: true },
  DirectoryUnavailable: { move: 'platform', resume: 'poll' },
  DirectoryRefused: { move: 'platform', resume: 'poll' },
  DirectoryGroupConflict: { move: 'platform', resume: 'poll' },
  DirectoryGroupUnknown: { move: 'platform', resume: 'poll' },
  RecordWriteFailed: { move: 'platform' },
  ExecutionLost: { move: 'platform', resume: 'poll', mayBeTriggered: true },
} as const satisfies Record<string, Failure>;

export type FailureName = keyof typeof FAILURES;

/** Failure types that fail the workflow before anything is recorded. docs/operations.md says what each means. */
export const REFUSALS = ['InvalidInput', 'JobAlreadyEnded', 'HeldByStepFunctions', 'NothingToResume'] as const;

/** The map `error_info` of a failed record. Its keys are named as in Step Functions. */
export interface ErrorInfo {
  /** At most 256 characters. */
  Error: FailureName;
  /** At most 32,768 characters: the step and what happened, for a person. */
  Cause: string;
  /** The server that the group's add was sent to, if the add's outcome is unknown. */
  sent_to?: DirectoryServer;
}

/** https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html gives both limits. */
export const CAUSE_MAX_CHARACTERS = 32_768;

export function errorInfo(name: FailureName, cause: string): ErrorInfo {
  return { Error: name, Cause: clip(cause, CAUSE_MAX_CHARACTERS).toWellFormed() };
}

export function isFailureName(name: unknown): name is FailureName {
  return typeof name === 'string' && Object.hasOwn(FAILURES, name);
}

export function isRefusalName(name: unknown): name is (typeof REFUSALS)[number] {
  return REFUSALS.some((one) => one === name);
}

/** Cuts a text to a number of UTF-16 units without splitting a surrogate pair. An ellipsis marks a cut. */
export function clip(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const end = /[\uD800-\uDBFF]/.test(text.charAt(maxCharacters - 2)) ? maxCharacters - 2 : maxCharacters - 1;
  return `${text.slice(0, end)}…`;
}
