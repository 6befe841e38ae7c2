import type { Polls } from '../domain/build-status.ts';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Resumption } from '../domain/resumption.ts';

/** How a build is going to end; fixed before its last writes begin. */
export type Ending = { status: 'COMPLETE' } | { status: 'FAILED'; error_info: ErrorInfo } | { status: 'CANCELLED' };

/** What a build has come to know; carried whole through continue-as-new. Plain JSON. */
export interface Progress extends Polls {
  /** When the first run started. */
  start_at: string;
  /**
   * What is known of this job's status record: `absent` while there is none to end, `unknown` while a put may have been
   * carried out without an answer, `written` after it.
   */
  record: 'absent' | 'unknown' | 'written' | 'contested';
  /** The state that it is in, as the original names it. */
  step?: string;
  build_id?: string;
  ending?: Ending;
  /** Last writes that are done. */
  ended_record: boolean;
  ended_history: boolean;
  /** The wait after the last round of attempts at the last write under way. */
  last_write_wait_ms?: number;
  /** Whether the search attribute `BuildStatus` says already how the build ended, since its last writes wait. */
  shown_waiting?: boolean;
  contested: boolean;
  /** Why the first put was refused; the workflow ends as that if none of its records turns out to be there. */
  refusal?: Refusal;
  /** Whether a last write found a record of this job's. */
  has_ended_a_record?: boolean;
  /** Where this job resumes another. */
  resumption?: Resumption;
}

/** One of `REFUSALS`. */
export interface Refusal {
  type: string;
  message: string;
  details: unknown[];
}

/** @param record `unknown` if a run before this one may have put it */
export function newProgress(start_at: string, record: 'absent' | 'unknown', resumption?: Resumption): Progress {
  return {
    start_at,
    record,
    polls: 0,
    ended_record: false,
    ended_history: false,
    contested: false,
    ...(resumption === undefined ? {} : { resumption }),
    ...(resumption?.build_id === undefined ? {} : { build_id: resumption.build_id }),
  };
}

/** The workflow's second argument is one of two: what this build's earlier runs know, or the job that it resumes. */
export function isResumption(given: unknown): given is Resumption {
  return typeof given === 'object' && given !== null && 'resumes' in given;
}
