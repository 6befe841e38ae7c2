/** What a build carries through continue-as-new, and how the next run validates it. */
import { buildIdFault, type Polls } from './build-status.ts';
import { CAUSE_MAX_CHARACTERS, isFailureName, isRefusalName, type ErrorInfo } from './failures.ts';
import { defined } from './defined.ts';
import { isDirectoryGroup, isDirectoryServer, type DirectoryGroup, type DirectoryServer } from './directory-group.ts';
import { isResumption, type Resumption } from './resumption.ts';
import { isInstant } from './identity.ts';
import { FINAL_UPDATE_RETRY } from './retries.ts';
import type { Fault } from './role-build-input.ts';

/** How a build is going to end; fixed before its final record updates begin. */
export type Ending = { status: 'COMPLETE' } | { status: 'FAILED'; error_info: ErrorInfo } | { status: 'CANCELLED' };

/** What a build knows so far. Continue-as-new carries all of it, as plain JSON. */
export interface Progress extends Polls {
  /** Version of this format. Builds that started before there was a version have none. */
  version?: 1;
  /** When the first run started. */
  start_at: string;
  /**
   * What is known of this job's status record: `absent` if there is none to end, `unknown` while a put may have taken
   * effect without an answer, `written` after the put.
   */
  record: 'absent' | 'unknown' | 'written' | 'contested';
  /** The current state, as the state machine names it. */
  step?: string;
  build_id?: string;
  ending?: Ending;
  /** Which final record updates are done. */
  ended_record: boolean;
  ended_history: boolean;
  /** The last wait between rounds of attempts at the current final record update, or at the group. */
  last_write_wait_ms?: number;
  /** Whether `BuildStatus` already shows how the build ended, because the final record updates had to wait. */
  shown_waiting?: boolean;
  contested: boolean;
  role_built?: true;
  directory_group?: DirectoryGroup;
  /** The server that the group's add was sent to, if the add's outcome is unknown. */
  group_sent_to?: DirectoryServer;
  /** Why the first put was refused. The workflow ends as refused unless a final update finds a record of this job. */
  refusal?: Refusal;
  /** Whether a final record update found a record of this job. */
  has_ended_a_record?: boolean;
  resumption?: Resumption;
}

/** Its `type` is one of `REFUSALS`. */
export interface Refusal {
  type: string;
  message: string;
  details: unknown[];
}

/** @param record `unknown` if a run before this one may have put it */
export function newProgress(start_at: string, record: 'absent' | 'unknown', resumption?: Resumption | null): Progress {
  return defined({
    version: 1 as const,
    start_at,
    record,
    polls: 0,
    ended_record: false,
    ended_history: false,
    contested: false,
    resumption: resumption ?? undefined,
    build_id: resumption?.build_id,
    group_sent_to: [resumption?.previous_jobs.at(-1)?.error_info?.sent_to].find(isDirectoryServer),
  });
}

/** Limit for texts that are only displayed. */
const TEXT_MAX_CHARACTERS = 1_024;

const isTrueOrFalse = (value: unknown) => typeof value === 'boolean';
const isText = (value: unknown) => typeof value === 'string' && value.length <= TEXT_MAX_CHARACTERS;

type Rule = [isGood: (value: unknown) => boolean, must: string, optional?: 'optional'];

/** The rule for each key of a {@link Progress}. Keys of a newer version are ignored, so that a rollback works. */
const RULES: { readonly [K in keyof Required<Progress>]: Rule } = {
  version: [(value) => value === 1, 'must be 1', 'optional'],
  start_at: [isInstant, 'must be a time in UTC, ISO 8601 with milliseconds'],
  record: [
    (value) => value === 'unknown' || value === 'written' || value === 'contested',
    'must be unknown, written or contested',
  ],
  step: [isText, 'must be the name of a state', 'optional'],
  build_id: [(value) => buildIdFault(value) === undefined, 'must be a segment of a path', 'optional'],
  polls: [(value) => Number.isSafeInteger(value) && (value as number) >= 0, 'must be a whole number'],
  last_status: [isText, 'must be a short text', 'optional'],
  ending: [isEnding, 'must be COMPLETE, CANCELLED, or FAILED with its error_info', 'optional'],
  ended_record: [isTrueOrFalse, 'must be true or false'],
  ended_history: [(value) => value === false, 'must be false: there would be nothing left to do'],
  last_write_wait_ms: [
    (value) => typeof value === 'number' && value > 0 && value <= FINAL_UPDATE_RETRY.maxMs,
    `must be more than 0 and at most ${FINAL_UPDATE_RETRY.maxMs}`,
    'optional',
  ],
  shown_waiting: [isTrueOrFalse, 'must be true or false', 'optional'],
  contested: [isTrueOrFalse, 'must be true or false'],
  role_built: [(value) => value === true, 'must be true', 'optional'],
  directory_group: [isDirectoryGroup, 'must be a group', 'optional'],
  group_sent_to: [isDirectoryServer, 'must be a server', 'optional'],
  refusal: [isRefusal, 'must be one of the refusals', 'optional'],
  has_ended_a_record: [isTrueOrFalse, 'must be true or false', 'optional'],
  resumption: [isResumption, 'must be a valid resumption', 'optional'],
};

/**
 * Checks what the run before this one carried over. That run may be anybody's: a workflow of another type can continue
 * as new as this one.
 *
 * @param startedAt when this run started: ISO 8601, UTC, milliseconds
 * @returns every fault; none if a build can have continued as new with this {@link Progress}
 */
export function progressFaults(given: unknown, startedAt: string): Fault[] {
  const fault = (path: string, message: string): Fault => ({ path: `(carried)${path}`, message });
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [fault('', 'must be the progress of a build that continues as new')];
  }
  const faults = Object.entries(RULES).flatMap(([name, [isGood, must, optional]]) => {
    if (!Object.hasOwn(given, name)) return optional ? [] : [fault(`.${name}`, 'is missing')];
    return isGood((given as Record<string, unknown>)[name]) ? [] : [fault(`.${name}`, must)];
  });
  if (faults.length > 0) return faults;

  const progress = given as Progress;
  const { start_at, record, build_id, polls, ending, ended_record } = progress;
  if (start_at > startedAt)
    faults.push(fault('.start_at', `must not be later than ${startedAt}, the start of this run`));
  if (ending === undefined && (record !== 'written' || build_id === undefined || ended_record)) {
    faults.push(fault('', 'must belong to a build that was triggered or has ended'));
  }
  const isBuilt = ending?.status === 'COMPLETE' || progress.role_built === true;
  if (isBuilt && (record !== 'written' || build_id === undefined || polls === 0)) {
    faults.push(fault('.ending', 'must not be COMPLETE without a build that was polled'));
  }
  return faults;
}

function isEnding(value: unknown): boolean {
  const { status, error_info } = (value ?? {}) as { status?: unknown; error_info?: Partial<ErrorInfo> | null };
  if (status !== 'FAILED') return (status === 'COMPLETE' || status === 'CANCELLED') && error_info === undefined;
  const { Error: name, Cause: cause, sent_to } = error_info ?? {};
  if (sent_to !== undefined && !isDirectoryServer(sent_to)) return false;
  if (typeof cause !== 'string' || !cause.isWellFormed() || cause.length > CAUSE_MAX_CHARACTERS) return false;
  return isFailureName(name);
}

function isRefusal(value: unknown): boolean {
  const { type, message, details } = (value ?? {}) as Partial<Record<keyof Refusal, unknown>>;
  return isRefusalName(type) && typeof message === 'string' && Array.isArray(details);
}
