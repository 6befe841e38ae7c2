import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAILURES } from '../../src/domain/failures.ts';
import { resumedBy, wayToResume, withPreviousJob } from '../../src/domain/previous-jobs.ts';
import { isResumption, type PreviousJob } from '../../src/domain/resumption.ts';

const ended = (n: number, Cause = 'too long'): PreviousJob => ({
  job_id: `job-${n}`,
  start_at: '2026-01-01T00:00:00.000Z',
  status: 'FAILED',
  updated_at: '2026-01-01T00:10:00.000Z',
  build_id: 'b',
  error_info: { Error: 'BuildDeadlineExceeded', Cause },
});

describe('a job that can be resumed', () => {
  it('a job can be resumed if the build API had not decided', () => {
    const how = Object.fromEntries(Object.keys(FAILURES).map((name) => [name, resumedBy(name)]));
    assert.deepEqual(how, {
      BuildFailed: undefined,
      BuildApiUnavailable: 'poll',
      BuildTriggerUnknown: 'trigger',
      CustomNonRetryableError: undefined,
      BuildDeadlineExceeded: 'poll',
      DirectoryUnavailable: 'poll',
      DirectoryRefused: 'poll',
      DirectoryGroupConflict: 'poll',
      DirectoryGroupUnknown: 'poll',
      RecordWriteFailed: undefined,
      ExecutionLost: 'poll',
    });
    assert.equal(resumedBy(undefined), undefined);
    assert.equal(resumedBy('toString'), undefined);
  });
});

describe('the way to resume', () => {
  const as = (Error: keyof typeof FAILURES) => ({ error_info: { Error, Cause: '' } });
  const failed = as('RecordWriteFailed');

  it('the way to resume is to poll if there is a build_id, and otherwise the POST if it may have been taken', () => {
    const ways = Object.keys(FAILURES).map((name) => {
      const job = as(name as keyof typeof FAILURES);
      return [name, [wayToResume({ ...job, build_id: 'b' }, []), wayToResume(job, [])]];
    });
    assert.deepEqual(Object.fromEntries(ways), {
      BuildFailed: [undefined, undefined],
      BuildApiUnavailable: ['poll', undefined],
      BuildTriggerUnknown: ['trigger', 'trigger'],
      CustomNonRetryableError: [undefined, undefined],
      BuildDeadlineExceeded: ['poll', 'trigger'],
      DirectoryUnavailable: ['poll', undefined],
      DirectoryRefused: ['poll', undefined],
      DirectoryGroupConflict: ['poll', undefined],
      DirectoryGroupUnknown: ['poll', undefined],
      RecordWriteFailed: [undefined, undefined],
      ExecutionLost: ['poll', 'trigger'],
    });
    assert.equal(wayToResume({ build_id: 'b' }, []), undefined);
  });

  it('the way to resume a job that could not put its records is that of the job before it', () => {
    const before = [as('BuildFailed'), as('BuildTriggerUnknown'), failed];
    assert.equal(wayToResume(failed, before), 'trigger');
    assert.equal(wayToResume({ ...failed, build_id: 'b' }, [as('BuildApiUnavailable')]), 'poll');
    assert.equal(wayToResume(failed, [as('BuildFailed')]), undefined);
  });
});

describe('a resumption', () => {
  const good = { resumes: 'job-1', build_id: 'b', previous_jobs: [ended(1)] };
  for (const [what, given, expected] of [
    ['with a build', good, true],
    ['without a build', { resumes: 'job-1', previous_jobs: [] }, true],
    ['that is nothing', undefined, false],
    ['that is null', null, false],
    ['that is a text', 'job-1', false],
    ['of no job', { ...good, resumes: undefined }, false],
    ['of a job that is a number', { ...good, resumes: 1 }, false],
    ['with a build that is a number', { ...good, build_id: 7 }, false],
    ['with a build that is null', { ...good, build_id: null }, false],
    ['without previous jobs', { ...good, previous_jobs: undefined }, false],
    ['with previous jobs that are no list', { ...good, previous_jobs: { length: 1 } }, false],
  ] as const) {
    it(`a resumption ${what} is ${expected ? 'taken' : 'refused'}`, () => assert.equal(isResumption(given), expected));
  }
});

describe('previous jobs', () => {
  it('previous jobs hold the last one, however long it is', () => {
    const long = { ...ended(2), build_id: 'b'.repeat(50_000) };
    assert.deepEqual(withPreviousJob([ended(1)], long), [long]);
  });

  it('previous jobs are kept up to 48 KiB, and the oldest are dropped beyond that', () => {
    const sized = (room: number) => ({ ...ended(2), build_id: 'b'.repeat(room) });
    const room = 48 * 1024 - JSON.stringify([ended(1), sized(0)]).length;
    assert.deepEqual(withPreviousJob([ended(1)], sized(room)), [ended(1), sized(room)]);
    assert.deepEqual(withPreviousJob([ended(1)], sized(room + 1)), [sized(room + 1)]);
  });

  it('previous jobs are kept in order, with only what the record said about each', () => {
    const record = { ...ended(2), trace_header: 'Root=1', correlation_id: 'request-1' };
    assert.deepEqual(withPreviousJob([ended(1)], record), [ended(1), ended(2)]);
  });

  it('previous jobs leave room for the record itself, however many and however long their causes', () => {
    let jobs: PreviousJob[] = [];
    for (let n = 1; n <= 200; n += 1) jobs = withPreviousJob(jobs, ended(n, '€'.repeat(32_768)));
    assert.ok(Buffer.byteLength(JSON.stringify(jobs)) <= 48 * 1024);
    assert.equal(jobs.at(-1)?.job_id, 'job-200');
    assert.ok(jobs.length > 10);
    assert.equal(jobs[0]?.error_info?.Cause.length, 1_024);
  });
});
