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

/** What a resumed build takes over: the workflow's second argument. Plain JSON. */
export interface Resumption {
  /** The job whose record it takes over; both puts hold only if that job holds the record. */
  resumes: string;
  /** The build to poll on with. Without it, the POST is made again. */
  build_id?: string;
  /** Oldest first; the last is the job that it resumes. */
  previous_jobs: PreviousJob[];
}

/** Whether workflow code can use it; a worker's first activity checks what is in it. */
export function isResumption(given: unknown): given is Resumption {
  const { resumes, build_id, previous_jobs } = (given ?? {}) as Partial<Record<keyof Resumption, unknown>>;
  return (
    typeof resumes === 'string' &&
    (build_id === undefined || typeof build_id === 'string') &&
    Array.isArray(previous_jobs)
  );
}
