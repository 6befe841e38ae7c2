/** A build that goes on where an earlier job of the same request stopped. */
import type { ErrorInfo } from './failures.ts';
import type { Job } from './identity.ts';
import type { RecordStatus } from './record-status.ts';

/** How an earlier job of a request ended, as the history record's `previous_jobs` keeps it. */
export interface PreviousJob extends Job {
  status: RecordStatus;
  updated_at?: string;
  build_id?: string;
  error_info?: ErrorInfo;
}

/** What a resumed build takes over from earlier jobs: the workflow's second argument. Plain JSON. */
export interface Resumption {
  /** The job to take over from. The puts replace no other job's record. */
  resumes: string;
  /** The build to go on polling. Without it, the POST is made again. */
  build_id?: string;
  /** Oldest first. The last one is the job to resume. */
  previous_jobs: PreviousJob[];
}

/** Checks only what workflow code relies on. A worker's first activity checks the contents. */
export function isResumption(given: unknown): given is Resumption {
  const { resumes, build_id, previous_jobs } = (given ?? {}) as Partial<Record<keyof Resumption, unknown>>;
  return (
    typeof resumes === 'string' &&
    (build_id === undefined || typeof build_id === 'string') &&
    Array.isArray(previous_jobs)
  );
}
