import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newProgress, progressFaults, type Progress } from '../../src/domain/progress.ts';
import type { Resumption } from '../../src/domain/resumption.ts';

const STARTED_AT = '2026-03-01T12:00:00.000Z';
const polling: Progress = {
  ...newProgress('2026-03-01T10:00:00.000Z', 'absent'),
  record: 'written',
  step: 'WaitForBuildStatus',
  build_id: 'build-1',
  polls: 7,
  last_status: 'QUEUED',
};
const ending: Progress = {
  ...polling,
  ending: { status: 'COMPLETE' },
  last_write_wait_ms: 30_000,
  shown_waiting: true,
};
const failed = (error_info: unknown) => ({ ...ending, ending: { status: 'FAILED', error_info } });
const Cause = 'GetBuildStatus: no answer';

function pathsOf(given: unknown): string[] {
  return progressFaults(given, STARTED_AT).map(({ path }) => path);
}

it('a build begins with nothing written, polled or contested', () => {
  const begun = { version: 1, start_at: STARTED_AT, record: 'absent', polls: 0, contested: false };
  assert.deepEqual(newProgress(STARTED_AT, 'absent'), { ...begun, ended_record: false, ended_history: false });
});

it('a build that resumes another begins with its build ID and the domain controller of its add', () => {
  const sent_to = { name: 'dc1.example.com', address: '192.0.2.1' };
  const error_info = { Error: 'DirectoryGroupUnknown', Cause, sent_to };
  const resumption = { resumes: 'job', build_id: 'b', previous_jobs: [{ error_info }] } as unknown as Resumption;
  const { build_id, group_sent_to, resumption: kept } = newProgress(STARTED_AT, 'absent', resumption);
  assert.deepEqual({ build_id, group_sent_to, kept }, { build_id: 'b', group_sent_to: sent_to, kept: resumption });
});

describe('carried progress', () => {
  for (const [name, given] of Object.entries({
    'while it polls': polling,
    'before its first poll': { ...polling, polls: 0, last_status: undefined, step: 'TriggerBuild' },
    'while a final record update waits': ending,
    'while the final record update of the history waits': { ...ending, ended_record: true },
    'of a build that failed before it was triggered': {
      ...newProgress(STARTED_AT, 'unknown'),
      ending: { status: 'FAILED', error_info: { Error: 'RecordWriteFailed', Cause } },
    },
    'of a build that was cancelled': { ...ending, ending: { status: 'CANCELLED' } },
    'of a build that found a newer job': {
      ...failed({ Error: 'RecordWriteFailed', Cause }),
      record: 'contested',
      contested: true,
    },
    'of a build that resumes another': { ...polling, resumption: { resumes: 'job', build_id: 'b', previous_jobs: [] } },
    'of a build that was refused after its put': {
      ...newProgress(STARTED_AT, 'unknown'),
      ending: { status: 'FAILED', error_info: { Error: 'RecordWriteFailed', Cause } },
      refusal: { type: 'InvalidInput', message: 'the input was refused', details: [] },
      has_ended_a_record: true,
    },
    'with the longest wait there may be': { ...ending, last_write_wait_ms: 600_000 },
    'with the longest status there may be': { ...polling, last_status: 'x'.repeat(1_024) },
    'of a newer version, with a key more': { ...polling, something_new: { name: 'x' } },
  })) {
    it(`carried progress is accepted ${name}`, () => assert.deepEqual(pathsOf(JSON.parse(JSON.stringify(given))), []));
  }

  for (const [name, given, path] of [
    ['nothing', undefined, '(carried)'],
    ['null', null, '(carried)'],
    ['a text', 'written', '(carried)'],
    ['a list', [polling], '(carried)'],
    ['a status that is too long', { ...polling, last_status: 'x'.repeat(1_025) }, '(carried).last_status'],
    ['a resumption', { resumes: 'job', previous_jobs: [] }, '(carried).start_at'],
    ['a start in the year 9999', { ...polling, start_at: '9999-12-31T23:59:59.999Z' }, '(carried).start_at'],
    ['a start a moment later than the run', { ...polling, start_at: '2026-03-01T12:00:00.001Z' }, '(carried).start_at'],
    ['a start that is no date', { ...polling, start_at: '2026-02-31T10:00:00.000Z' }, '(carried).start_at'],
    ['a start without milliseconds', { ...polling, start_at: '2026-02-01T10:00:00Z' }, '(carried).start_at'],
    ['a start with more behind it', { ...polling, start_at: '2026-02-01T10:00:00.000Z\n' }, '(carried).start_at'],
    ['a start that is a number', { ...polling, start_at: 0 }, '(carried).start_at'],
    ['a record in no state', { ...polling, record: 'COMPLETE' }, '(carried).record'],
    ['a record that was never tried', { ...polling, record: 'absent' }, '(carried).record'],
    ['a record in a state that every object has', { ...polling, record: 'constructor' }, '(carried).record'],
    ['a build_id that is no segment', { ...polling, build_id: '..' }, '(carried).build_id'],
    ['an empty build_id', { ...polling, build_id: '' }, '(carried).build_id'],
    ['a build_id that is a number', { ...polling, build_id: 7 }, '(carried).build_id'],
    ['polls below zero', { ...polling, polls: -1 }, '(carried).polls'],
    ['polls beyond what is safe', { ...polling, polls: 2 ** 53 }, '(carried).polls'],
    ['polls as text', { ...polling, polls: '7' }, '(carried).polls'],
    ['a last answer that is an object', { ...polling, last_status: {} }, '(carried).last_status'],
    ['a step of a megabyte', { ...polling, step: 'x'.repeat(2 ** 20) }, '(carried).step'],
    ['an end of no name', { ...ending, ending: { status: 'IN_PROGRESS' } }, '(carried).ending'],
    ['an end that is null', { ...ending, ending: null }, '(carried).ending'],
    ['a failure without its error', failed(undefined), '(carried).ending'],
    ['a failure of no name', failed({ Error: 'toString', Cause }), '(carried).ending'],
    ['a failure that is a refusal', failed({ Error: 'InvalidInput', Cause }), '(carried).ending'],
    ['half a character', failed({ Error: 'BuildFailed', Cause: 'cut \uD83D' }), '(carried).ending'],
    ['a failure without a cause', failed({ Error: 'BuildFailed' }), '(carried).ending'],
    [
      'an add that was sent to a host name',
      failed({ Error: 'DirectoryGroupUnknown', Cause, sent_to: { name: 'dc1', address: 'dc1.example.com' } }),
      '(carried).ending',
    ],
    ['a cause that no record holds', failed({ Error: 'BuildFailed', Cause: 'x'.repeat(32_769) }), '(carried).ending'],
    [
      'an error beside COMPLETE',
      { ...ending, ending: { status: 'COMPLETE', error_info: { Error: 'BuildFailed', Cause } } },
      '(carried).ending',
    ],
    ['COMPLETE without a poll', { ...ending, polls: 0 }, '(carried).ending'],
    ['a built role without a poll', { ...polling, polls: 0, role_built: true }, '(carried).ending'],
    ['COMPLETE without a build', { ...ending, build_id: undefined }, '(carried).ending'],
    ['COMPLETE without a record', { ...ending, record: 'unknown' }, '(carried).ending'],
    ['a final record update that is done before any end', { ...polling, ended_record: true }, '(carried)'],
    [
      'final record updates that are all done',
      { ...ending, ended_record: true, ended_history: true },
      '(carried).ended_history',
    ],
    ['a poll without a build', { ...polling, build_id: undefined }, '(carried)'],
    ['a poll without a record', { ...polling, record: 'unknown' }, '(carried)'],
    ['a wait below zero', { ...ending, last_write_wait_ms: -1 }, '(carried).last_write_wait_ms'],
    ['a wait of no time', { ...ending, last_write_wait_ms: 0 }, '(carried).last_write_wait_ms'],
    ['a wait that is too long by 1 ms', { ...ending, last_write_wait_ms: 600_001 }, '(carried).last_write_wait_ms'],
    ['a start that is a list of a time', { ...polling, start_at: [STARTED_AT] }, '(carried).start_at'],
    ['a wait of a year', { ...ending, last_write_wait_ms: 31_536_000_000 }, '(carried).last_write_wait_ms'],
    ['contested as text', { ...polling, contested: 'true' }, '(carried).contested'],
    [
      'a refusal of no name',
      { ...polling, refusal: { type: 'valueOf', message: 'no', details: [] } },
      '(carried).refusal',
    ],
    ['a resumption of no shape', { ...polling, resumption: { resumes: 7 } }, '(carried).resumption'],
  ] as const) {
    it(`carried progress is refused with ${name}`, () => {
      const carried: unknown = given === undefined ? undefined : JSON.parse(JSON.stringify(given));
      assert.ok(pathsOf(carried).includes(path), pathsOf(carried).join());
    });
  }

  it('carried progress is refused with every fault at once, each by its path', () => {
    assert.deepEqual(pathsOf({ record: 'written', polls: 0.5, ending: {} }), [
      '(carried).start_at',
      '(carried).polls',
      '(carried).ending',
      '(carried).ended_record',
      '(carried).ended_history',
      '(carried).contested',
    ]);
  });
});
