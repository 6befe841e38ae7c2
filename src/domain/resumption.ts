/** A build that goes on where an earlier job of the same request stopped. */
import { defined } from './defined.ts';
import { clip, FAILURES, isFailureName, type ErrorInfo, type Failure } from './failures.ts';
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

export function resumedBy(error: string | undefined): Failure['resume'] {
  if (!isFailureName(error)) return undefined;
  const { resume }: Failure = FAILURES[error];
  return resume;
}

/** An item holds at most 400 KB, and its own end needs most of that. */
export const PREVIOUS_JOBS_MAX_BYTES = 48 * 1024;
const PREVIOUS_CAUSE_MAX_CHARACTERS = 1_024;

/** The earlier jobs and one more, with shortened causes; if they would crowd out the record itself, the oldest go. */
export function withPreviousJob(earlier: readonly PreviousJob[], ended: PreviousJob): PreviousJob[] {
  const jobs = [...earlier, ended].map(shortened);
  while (jobs.length > 1 && Buffer.byteLength(JSON.stringify(jobs)) > PREVIOUS_JOBS_MAX_BYTES) jobs.shift();
  return jobs;
}

/** By their names: workers refuse what else stands in an item. */
function shortened({ job_id, start_at, status, updated_at, build_id, error_info: info }: PreviousJob): PreviousJob {
  const Cause = clip(info?.Cause ?? '', PREVIOUS_CAUSE_MAX_CHARACTERS);
  const error_info = info && defined({ Error: info.Error, Cause, sent_to: info.sent_to });
  return defined({ job_id, start_at, status, updated_at, build_id, error_info });
}
