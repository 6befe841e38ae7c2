/** The workflow's second argument, which any Temporal client can pass. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resumptionFaults } from '../../src/domain/validate-input.ts';
import { shown } from './shown.ts';

describe('a resumption from outside', () => {
  const job = { job_id: 'job-1', start_at: '2026-01-01T00:00:00.000Z', status: 'FAILED' };
  const sent_to = { name: 'dc1.corp.example.com', address: '10.0.0.1' };
  const full = { ...job, updated_at: 'u', build_id: 'b', error_info: { Error: 'E', Cause: 'C', sent_to } };
  const good = { resumes: 'job-1', build_id: 'b-1', previous_jobs: [job, full] };
  const faultsIn = (given: unknown) => resumptionFaults(given).map(({ path, message }) => `${path}: ${message}`);

  it('a resumption from outside passes with what the history keeps, and with keys of a later version', () => {
    for (const given of [
      good,
      { resumes: 'x'.repeat(2_048), build_id: '...', previous_jobs: [] },
      { ...good, build_id: 'x'.repeat(2_048), later: 1 },
    ]) {
      assert.deepEqual(faultsIn(given), []);
    }
  });

  const inJob = 'previous_jobs.0';
  for (const [path, message, value] of [
    ['', 'must be an object', 'job-1'],
    ['', 'is missing', undefined],
    ['resumes', 'is missing', undefined],
    ['resumes', 'must be a string', 7],
    ['resumes', 'must not be empty', ''],
    ['resumes', 'must be at most 2048 characters', 'x'.repeat(2_049)],
    ['build_id', 'must be a string', null],
    ['build_id', 'must not be empty', ''],
    ['build_id', 'must be a path segment', '.'],
    ['build_id', 'must be a path segment', '..'],
    ['build_id', 'must be well-formed Unicode', '\uD800'],
    ['build_id', 'must be at most 2048 characters', 'x'.repeat(2_049)],
    ['previous_jobs', 'is missing', undefined],
    ['previous_jobs', 'must be a list', {}],
    [inJob, 'must be a job as the history keeps it', ['job-1']],
    [inJob, 'must be a job as the history keeps it', [{ ...job, more: 1 }]],
    [`${inJob}.job_id`, 'must be well-formed Unicode', [{ ...job, job_id: '\uD800' }]],
    [`${inJob}.start_at`, 'is missing', [{ ...job, start_at: undefined }]],
    [`${inJob}.status`, 'must be a string', [{ ...job, status: 7 }]],
    [`${inJob}.updated_at`, 'must be a string', [{ ...job, updated_at: 7 }]],
    [`${inJob}.build_id`, 'must be a string', [{ ...job, build_id: null }]],
    [`${inJob}.error_info`, 'must be an Error and its Cause', [{ ...job, error_info: 'E' }]],
    [
      `${inJob}.error_info`,
      'must be an Error and its Cause',
      [{ ...job, error_info: { ...full.error_info, more: 1 } }],
    ],
    [`${inJob}.error_info.Error`, 'is missing', [{ ...job, error_info: { Cause: 'C' } }]],
    [`${inJob}.error_info.Cause`, 'is missing', [{ ...job, error_info: { Error: 'E' } }]],
    [
      `${inJob}.error_info.Cause`,
      'must be well-formed Unicode',
      [{ ...job, error_info: { Error: 'E', Cause: '\uD800' } }],
    ],
    [
      `${inJob}.error_info.sent_to`,
      'must have an IP address',
      [{ ...job, error_info: { ...full.error_info, sent_to: { name: 'dc1', address: 'dc1' } } }],
    ],
  ] as const) {
    it(`a resumption from outside is refused with ${path || 'itself'} ${shown(value)}`, () => {
      const given = path === '' ? value : { ...good, [path.split('.')[0] as string]: value };
      assert.deepEqual(faultsIn(given), [`(resumption)${path && '.'}${path}: ${message}`]);
    });
  }

  it('a resumption from outside may have as many bytes of previous jobs as a record keeps', () => {
    const sized = (cause: number) => [{ ...job, error_info: { Error: 'E', Cause: 'x'.repeat(cause) } }];
    const room = 48 * 1024 - JSON.stringify(sized(0)).length;
    assert.deepEqual(faultsIn({ ...good, previous_jobs: sized(room) }), []);
    const fault = '(resumption).previous_jobs: must be at most 49152 bytes of JSON';
    assert.deepEqual(faultsIn({ ...good, previous_jobs: sized(room + 1) }), [fault]);
  });

  it("a resumption from outside is refused with values that can't be carried unchanged, and with no more faults than a failure holds", () => {
    assert.deepEqual(faultsIn({ ...good, later: 1e300 }), [
      '(resumption).later: is too large for a number to be carried exactly; send it as a string',
    ]);
    assert.equal(faultsIn({ ...good, previous_jobs: Array.from({ length: 200 }, () => 1) }).length, 100);
  });
});
