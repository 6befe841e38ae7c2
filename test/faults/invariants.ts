/** The invariants that hold once every build has closed, whatever faults there were. */
import { checkBuildStatus } from '../../src/domain/build-status.ts';
import { isRefusalName } from '../../src/domain/failures.ts';
import type { RawItem } from '../support/stack.ts';
import type { Job } from './jobs.ts';
import { brokenByRequests } from './request-invariants.ts';
import type { Truth } from './truth.ts';
import { lost, nameOf, text, wrong, type Violation } from './violation.ts';
import { brokenByWrites } from './write-invariants.ts';

/** Returns every broken promise. */
export function violationsOf(truth: Truth): Violation[] {
  return [
    ...truth.jobs.flatMap((job) => [...brokenByEnd(job), ...brokenByRecords(truth, job), ...brokenByVerdict(job)]),
    ...brokenByLeftovers(truth),
    ...brokenByRequests(truth),
    ...brokenByWrites(truth),
  ];
}

/** Every workflow ends, and not because Temporal ended it. */
function brokenByEnd(job: Job): Violation[] {
  if (job.end !== undefined) return [];
  return [lost(`${nameOf(job)} is ${job.closedAs}: it never came to an end of its own`)];
}

/** Both records of a closed workflow have its end, or neither was written. */
function brokenByRecords(truth: Truth, job: Job): Violation[] {
  if (job.end === undefined) return [];
  const { input, end } = job;
  const status = truth.statusRecords.find(
    (item) =>
      text(item, 'account_id') === input.build_body.account_id &&
      text(item, 'resource') === input.ddb_composite_sort_key,
  );
  const history = truth.historyRecords.find((item) => text(item, 'request_id') === input.correlation_id);
  const found: Violation[] = [];
  for (const [which, item, missingIsRight] of [
    ['status', status, mayLackRecord(job)],
    ['history', history, mayLackHistory(job, status, history)],
  ] as const) {
    const complain = (what: string) =>
      found.push(wrong(`${nameOf(job)} ended ${end}, but its ${which} record ${what}`));
    if (text(item, 'job_id') !== job.job_id) {
      // A newer job may have taken the record. Anything else means that this job's record was never written.
      if (!isNewer(item, job) && !missingIsRight) complain(`is ${item === undefined ? 'missing' : held(item)}`);
      continue;
    }
    if (text(item, 'status') !== end) complain(`says ${text(item, 'status')}`);
    if (text(item, 'start_at') !== job.start_at) complain(`says it started ${text(item, 'start_at')}`);
    const told = item?.['error_info']?.M;
    if (told?.['Error']?.S !== job.failure?.type || told?.['Cause']?.S !== job.failure?.message) {
      complain(`says ${JSON.stringify(told)}, and the workflow ${JSON.stringify(job.failure)}`);
    }
    if (text(item, 'build_id') !== job.build_id)
      complain(`has build_id ${text(item, 'build_id')}, not ${job.build_id}`);
  }
  return found;
}

/** The record may be missing if the job was refused, cancelled before its first put, or got no answer to it. */
function mayLackRecord(job: Job): boolean {
  return isRefusal(job) || job.upserted !== null;
}

/** Whether the history may be missing: the status record is also missing, or the request ID is another resource's. */
function mayLackHistory(job: Job, status: RawItem | undefined, history: RawItem | undefined): boolean {
  const ofAnother = history !== undefined && text(history, 'resource') !== job.input.ddb_composite_sort_key;
  const unwritten = job.upserted === undefined && text(status, 'job_id') !== job.job_id;
  return isRefusal(job) || unwritten || ofAnother;
}

function isRefusal({ failure }: Job): boolean {
  return isRefusalName(failure?.type);
}

function isNewer(item: RawItem | undefined, job: Job): boolean {
  return item !== undefined && (text(item, 'start_at') ?? '') >= job.start_at;
}

function held(item: RawItem): string {
  return `that of job ${text(item, 'job_id')}, which started ${text(item, 'start_at')}`;
}

/** A final answer decides the end, and an end that the API decided has such an answer. */
function brokenByVerdict(job: Job): Violation[] {
  const verdicts = job.answers.map(checkBuildStatus);
  const verdict = verdicts.find((one) => one !== 'undecided' && one !== 'deferred');
  const said = job.end === 'COMPLETE' ? 'succeeded' : job.failure?.type === 'BuildFailed' ? 'failed' : undefined;
  if (job.end === undefined || verdict === said) return [];
  return [
    wrong(
      `${nameOf(job)} was told ${JSON.stringify(job.answers)}, and ended ${job.end} ${JSON.stringify(job.failure)}`,
    ),
  ];
}

/** No record is IN_PROGRESS without a running workflow, and every record belongs to a known job. */
function brokenByLeftovers({ jobs, statusRecords, historyRecords }: Truth): Violation[] {
  return [...statusRecords, ...historyRecords].flatMap((item) => {
    const job = jobs.find(({ job_id }) => job_id === text(item, 'job_id'));
    if (job === undefined) return [wrong(`a record is of a job that Temporal does not know: ${JSON.stringify(item)}`)];
    if (text(item, 'status') !== 'IN_PROGRESS' || job.closedAs === 'RUNNING') return [];
    return [wrong(`a record of ${nameOf(job)} is IN_PROGRESS, but no workflow runs: ${JSON.stringify(item)}`)];
  });
}
