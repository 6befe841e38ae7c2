/** The earlier jobs of a request: how the last one is resumed, and how the history record keeps them. */
import { defined } from './defined.ts';
import { clip, FAILURES, isFailureName, type Failure } from './failures.ts';
import type { PreviousJob } from './resumption.ts';

export function resumedBy(error: string | undefined): Failure['resume'] {
  if (!isFailureName(error)) return undefined;
  const { resume }: Failure = FAILURES[error];
  return resume;
}

/**
 * Returns how an ended job is resumed, or `undefined` if it is not. A job that could not put its records did nothing,
 * so it is resumed like the job before it.
 *
 * @param previous_jobs the jobs before it, oldest first
 */
export function wayToResume(
  ended: Pick<PreviousJob, 'build_id' | 'error_info'>,
  previous_jobs: readonly Pick<PreviousJob, 'error_info'>[],
): Failure['resume'] {
  const did = [...previous_jobs, ended].findLast(({ error_info }) => error_info?.Error !== 'RecordWriteFailed');
  const error = did?.error_info?.Error;
  if (!isFailureName(error)) return undefined;
  const { resume, mayBeTriggered }: Failure = FAILURES[error];
  return resume === 'poll' && ended.build_id === undefined ? mayBeTriggered && 'trigger' : resume;
}

/** A DynamoDB item holds at most 400 KB, and the record's other attributes need most of that. */
export const PREVIOUS_JOBS_MAX_BYTES = 48 * 1024;
const PREVIOUS_CAUSE_MAX_CHARACTERS = 1_024;

/** Adds a job to the earlier ones and shortens all causes. Drops the oldest if they take too much of the record. */
export function withPreviousJob(earlier: readonly PreviousJob[], ended: PreviousJob): PreviousJob[] {
  const jobs = [...earlier, ended].map(shortened);
  while (jobs.length > 1 && Buffer.byteLength(JSON.stringify(jobs)) > PREVIOUS_JOBS_MAX_BYTES) jobs.shift();
  return jobs;
}

/** Picks attributes by name, because workers refuse a resumption with unknown ones. */
function shortened({ job_id, start_at, status, updated_at, build_id, error_info: info }: PreviousJob): PreviousJob {
  const Cause = clip(info?.Cause ?? '', PREVIOUS_CAUSE_MAX_CHARACTERS);
  const error_info = info && defined({ Error: info.Error, Cause, sent_to: info.sent_to });
  return defined({ job_id, start_at, status, updated_at, build_id, error_info });
}
