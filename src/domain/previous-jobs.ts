/** The earlier jobs of a request: how the last of them is resumed, and how they are kept. */
import { defined } from './defined.ts';
import { clip, FAILURES, isFailureName, type Failure } from './failures.ts';
import type { PreviousJob } from './resumption.ts';

export function resumedBy(error: string | undefined): Failure['resume'] {
  if (!isFailureName(error)) return undefined;
  const { resume }: Failure = FAILURES[error];
  return resume;
}

/**
 * How a job that ended so is resumed; `undefined` if it is not. One that could not put its records did nothing, so it is
 * resumed as the job before it.
 *
 * @param previous_jobs those before it
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
