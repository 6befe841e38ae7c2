import type { DirectoryServer } from './directory-group.ts';

/** Who must act on a failure, and how it is resumed, if it is. */
export interface Failure {
  move: 'requester' | 'build API' | 'platform';
  /**
   * `poll` goes on with the recorded `build_id`, since the build itself may have gone on; `trigger` makes the POST again with
   * the same request ID, since nobody knows whether it was taken.
   */
  resume?: 'poll' | 'trigger';
  /** The POST may have been taken before there was a `build_id`, so `resume` makes it again. */
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

/** The map in a failed record, named as Step Functions names it. */
export interface ErrorInfo {
  /** At most 256 characters. */
  Error: FailureName;
  /** At most 32,768 characters: the step and what happened, for a person. */
  Cause: string;
  /** Where the group's add was sent to, if its outcome is unknown. */
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

/** The text, cut to a number of UTF-16 units without leaving half a surrogate pair; a cut is shown by an ellipsis. */
export function clip(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const end = /[\uD800-\uDBFF]/.test(text.charAt(maxCharacters - 2)) ? maxCharacters - 2 : maxCharacters - 1;
  return `${text.slice(0, end)}…`;
}
