import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAILURES } from '../../src/domain/failures.ts';
import { resumedBy, withPreviousJob, type PreviousJob } from '../../src/domain/resumption.ts';

const ended = (n: number, Cause = 'too long'): PreviousJob => ({
  job_id: `job-${n}`,
  start_at: '2026-01-01T00:00:00.000Z',
  status: 'FAILED',
  build_id: 'b',
  error_info: { Error: 'BuildDeadlineExceeded', Cause },
});

describe('what is resumed', () => {
  test('is what the build API had not decided', () => {
    const how = Object.fromEntries(Object.keys(FAILURES).map((name) => [name, resumedBy(name)]));
    assert.deepEqual(how, {
      BuildFailed: undefined,
      BuildApiUnavailable: 'poll',
      BuildTriggerUnknown: 'trigger',
      CustomNonRetryableError: undefined,
      BuildDeadlineExceeded: 'poll',
      RecordWriteFailed: undefined,
      ExecutionLost: 'poll',
    });
    assert.equal(resumedBy(undefined), undefined);
    assert.equal(resumedBy('toString'), undefined);
  });
});

describe('previous jobs', () => {
  test('are kept in order, with what the record said of each and nothing more', () => {
    const record = { ...ended(2), trace_header: 'Root=1', correlation_id: 'request-1' };
    assert.deepEqual(withPreviousJob([ended(1)], record), [ended(1), ended(2)]);
  });

  test('leave room for the record itself, however many and however long their causes', () => {
    let jobs: PreviousJob[] = [];
    for (let n = 1; n <= 200; n += 1) jobs = withPreviousJob(jobs, ended(n, '€'.repeat(32_768)));
    assert.ok(Buffer.byteLength(JSON.stringify(jobs)) <= 48 * 1024);
    assert.equal(jobs.at(-1)?.job_id, 'job-200');
    assert.ok(jobs.length > 10);
    assert.equal(jobs[0]?.error_info?.Cause.length, 1_024);
  });
});
