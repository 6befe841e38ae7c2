import type { DirectoryServer } from './directory-group.ts';

/**
 * Why a build ended FAILED: every value of `error_info.Error`, which is also the failure type of the workflow and of
 * the activity that saw it.
 */
export const FAILURES = {
  BuildFailed: { summary: "the build API's own verdict", move: 'requester' },
  BuildApiUnavailable: { summary: 'the build API gave no valid answer; retries are used up', move: 'build API' },
  BuildTriggerUnknown: { summary: 'the build API may have accepted the POST, but no answer came', move: 'build API' },
  CustomNonRetryableError: { summary: 'the build API refused the request or broke its contract', move: 'requester' },
  BuildDeadlineExceeded: { summary: 'the build was not decided before its deadline', move: 'requester' },
  DirectoryUnavailable: { summary: 'the directory did not answer, or no worker has one', move: 'platform' },
  DirectoryRefused: { summary: 'the directory refused the bind, the right or the name', move: 'platform' },
  DirectoryGroupConflict: { summary: "the group's name is taken by what can not be adopted", move: 'platform' },
  DirectoryGroupUnknown: { summary: 'a group may have been added, but no answer came', move: 'platform' },
  RecordWriteFailed: { summary: 'a record could not be written', move: 'platform' },
  ExecutionLost: { summary: 'the execution is gone, and how the build ended can not be known', move: 'platform' },
} as const satisfies Record<string, { summary: string; move: 'requester' | 'build API' | 'platform' }>;

export type FailureName = keyof typeof FAILURES;

/** Failure types that fail the workflow before anything is recorded. */
export const REFUSALS = {
  InvalidInput: { summary: 'the input was refused; nothing was written' },
  JobAlreadyEnded: {
    summary: "this job's own record has already ended, as after a workflow reset; nothing was written",
  },
  HeldByStepFunctions: {
    summary: 'an execution of Step Functions is IN_PROGRESS in the status record; nothing was written',
  },
  NothingToResume: {
    summary: 'the status record is no longer that of the job to resume; nothing was written',
  },
} as const satisfies Record<string, { summary: string }>;

/** The map in a failed record, named as Step Functions names it. */
export interface ErrorInfo {
  /** At most 256 characters. */
  Error: FailureName;
  /** At most 32,768 characters: the step and what happened, for a person. */
  Cause: string;
  /** Where the group's add was sent to, if nobody knows what became of it. */
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

/** The text, cut to a number of UTF-16 units without leaving half a surrogate pair; a cut is shown by an ellipsis. */
export function clip(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const end = /[\uD800-\uDBFF]/.test(text.charAt(maxCharacters - 2)) ? maxCharacters - 2 : maxCharacters - 1;
  return `${text.slice(0, end)}…`;
}
