import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { caseOf, type Found } from '../../../src/cli/doctor/case.ts';
import { judge, type Judged } from '../../../src/cli/doctor/judge.ts';
import type { Asked } from '../../../src/cli/doctor/lost.ts';
import { newBuildHistory } from '../../../src/cli/build-history.ts';
import type { Put } from '../../../src/cli/doctor/trace.ts';
import type { Truth } from '../../../src/cli/doctor/truth.ts';
import type { Item } from '../../../src/records/items.ts';
import { inputFor } from '../../end-to-end/harness.ts';

const INPUT = inputFor({ buildApiUrl: 'http://127.0.0.1:9' }, 'judged');
const START = '2026-01-02T00:00:00.000Z';
const [OLDER, NEWER] = ['2026-01-01T00:00:00.000Z', '2026-01-03T00:00:00.000Z'];
const { account_id, build_type, action, custom_role_name, dry_run } = INPUT.build_body;
const COMMON = {
  account_id,
  resource: INPUT.ddb_composite_sort_key,
  action,
  job_id: 'job',
  start_at: START,
  trace_header: INPUT.trace_header,
};

const statusRecord = (status: string, more: Item = {}): Item => ({
  ...COMMON,
  build_type,
  custom_role_name,
  dry_run,
  correlation_id: INPUT.correlation_id,
  status,
  ...more,
});
const historyRecord = (status: string, more: Item = {}): Item => ({
  ...COMMON,
  request_id: INPUT.correlation_id,
  status,
  ...more,
});
const trace = (put: Put, triggered = true) => ({
  build: { ...newBuildHistory(), input: INPUT, start_at: START, build_id: 'b-1' },
  puts: { status: put, history: put },
  triggered,
});
const running = (put: Put): Truth => ({ state: 'running', how: 'is running', trace: trace(put), is_latest: true });
const lost: Truth = { state: 'lost', how: 'was terminated by x', trace: trace('written'), is_latest: true };
const gone: Truth = { state: 'gone', how: 'is not known' };
const refused: Truth = {
  state: 'refused',
  how: 'ended as InvalidInput',
  trace: trace('tried', false),
  is_latest: true,
};
const ended = (status: 'COMPLETE' | 'CANCELLED'): Truth => ({
  state: 'ended',
  how: `ended ${status}`,
  end: { status },
  trace: trace('written'),
  is_latest: true,
});
const failedAs = (name: string): Item => ({ error_info: { Error: name, Cause: '…' } });

/** Each finding as its kind and the writes, in short. */
function judged(status: Item | undefined, history: Item | undefined, truth: Truth, asked?: Asked): string[] {
  const found: Found = { status, history };
  return judge(caseOf('job', found, truth), asked, Date.now()).map(inShort);
}

function inShort({ finding, writes }: Judged): string {
  const each = (writes ?? []).map(
    ({ table, found, set, remove = [] }) =>
      `${found === undefined ? '+' : ''}${table}=${typeof set['status'] === 'string' ? set['status'] : Object.keys(set).join()}${remove.map((name) => `-${name}`).join('')}`,
  );
  return [finding, ...each].join(' ');
}

describe('judging', () => {
  const S = statusRecord;
  const H = historyRecord;
  const foreign = historyRecord('COMPLETE', { resource: 'another', job_id: 'other' });
  const asked: Asked = { end: { status: 'COMPLETE', build_id: 'b-1' }, says: 'SUCCEEDED', undecided: false };
  const stepFunctions = { job_id: 'arn:aws-us-gov:states:x', start_at: OLDER };

  for (const [what, status, history, truth, expected, answer] of [
    ['a running build', S('IN_PROGRESS'), H('IN_PROGRESS'), running('written'), []],
    ['before its first put', undefined, undefined, running('absent'), []],
    ['while its first put is under way', undefined, undefined, running('tried'), []],
    [
      'after a newer job refused it',
      S('COMPLETE', { job_id: 'n', start_at: NEWER }),
      undefined,
      running('refused'),
      [],
    ],
    [
      'running without records',
      undefined,
      undefined,
      running('written'),
      ['WorkflowWithoutRecord +status=IN_PROGRESS', 'WorkflowWithoutRecord +history=IN_PROGRESS'],
    ],
    [
      "running with an older job's",
      S('FAILED', { job_id: 'o', start_at: OLDER }),
      H('IN_PROGRESS'),
      running('written'),
      ['WorkflowWithoutRecord status=IN_PROGRESS'],
    ],
    [
      "running with a newer job's",
      S('FAILED', { job_id: 'n', start_at: NEWER }),
      H('IN_PROGRESS'),
      running('written'),
      [],
    ],
    ["running with Step Functions' record", S('IN_PROGRESS', stepFunctions), H('IN_PROGRESS'), running('written'), []],
    ['running with the request ID of another', S('IN_PROGRESS'), foreign, running('written'), []],
    ['running with an end', S('COMPLETE'), H('IN_PROGRESS'), running('written'), ['EndsDiffer status=IN_PROGRESS']],
    ['reset to its start after its end', S('COMPLETE'), H('COMPLETE'), running('tried'), []],
    [
      'between its last writes',
      S('COMPLETE'),
      H('IN_PROGRESS'),
      { ...running('written'), trace: { ...trace('written'), decided: { status: 'COMPLETE' } } },
      [],
    ],
    ['ended as recorded', S('COMPLETE'), H('COMPLETE'), ended('COMPLETE'), []],
    [
      'ended otherwise than recorded',
      S('FAILED'),
      H('FAILED'),
      ended('CANCELLED'),
      ['EndsDiffer status=CANCELLED history=CANCELLED'],
    ],
    [
      'ended COMPLETE, with the error_info of an end before',
      S('COMPLETE', failedAs('BuildFailed')),
      H('COMPLETE'),
      ended('COMPLETE'),
      ['EndsDiffer status=COMPLETE-error_info'],
    ],
    [
      'ended CANCELLED, with an error_info that is none',
      S('CANCELLED'),
      H('CANCELLED', { error_info: null }),
      ended('CANCELLED'),
      ['EndsDiffer history=CANCELLED-error_info'],
    ],
    [
      'gone, both COMPLETE, one with an error_info',
      S('COMPLETE'),
      H('COMPLETE', failedAs('BuildFailed')),
      gone,
      ['EndsDiffer history=COMPLETE-error_info'],
    ],
    [
      'gone, both COMPLETE, both with an error_info',
      S('COMPLETE', failedAs('BuildFailed')),
      H('COMPLETE', { error_info: 'quota' }),
      gone,
      ['EndsDiffer status=COMPLETE-error_info history=COMPLETE-error_info'],
    ],
    [
      'refused, ended by an earlier run, with an error_info',
      S('COMPLETE', failedAs('ExecutionLost')),
      H('COMPLETE'),
      refused,
      ['EndsDiffer status=COMPLETE-error_info'],
    ],
    ['refused, two ends written', S('COMPLETE', failedAs('BuildFailed')), H('FAILED'), refused, ['EndsDiffer']],
    [
      'running, with an error_info',
      S('IN_PROGRESS', failedAs('ExecutionLost')),
      H('IN_PROGRESS'),
      running('written'),
      ['EndsDiffer status=IN_PROGRESS-error_info'],
    ],
    ['gone, FAILED with an error_info that is none', S('FAILED', { error_info: 'x' }), H('FAILED'), gone, []],
    ['ended, and no record is left', undefined, undefined, ended('COMPLETE'), []],
    [
      'ended, the status record a newer job’s',
      S('IN_PROGRESS', { job_id: 'n', start_at: NEWER }),
      H('IN_PROGRESS'),
      ended('COMPLETE'),
      ['WorkflowGone history=COMPLETE'],
    ],
    ['ended, without a status record', undefined, H('COMPLETE'), ended('COMPLETE'), ['RecordMissing +status=COMPLETE']],
    [
      'ended, without a status record, a newer job there',
      undefined,
      H('COMPLETE'),
      { ...ended('COMPLETE'), is_latest: false },
      [],
    ],
    [
      'ended, without a history record',
      S('COMPLETE'),
      undefined,
      ended('COMPLETE'),
      ['RecordMissing +history=COMPLETE'],
    ],
    [
      "ended, the history record an older job's",
      S('COMPLETE'),
      H('FAILED', { job_id: 'o', start_at: OLDER }),
      ended('COMPLETE'),
      ['RecordMissing history=COMPLETE'],
    ],
    ['ended, the request ID another’s', S('COMPLETE'), foreign, ended('COMPLETE'), []],
    ['refused', undefined, undefined, refused, []],
    ['refused, ended by an earlier run', S('COMPLETE'), H('COMPLETE'), refused, []],
    [
      'refused, with a record of an attempt before',
      S('IN_PROGRESS'),
      undefined,
      refused,
      ['WorkflowGone status=FAILED +history=FAILED'],
    ],
    ['lost', S('IN_PROGRESS'), H('IN_PROGRESS'), lost, ['WorkflowGone status=FAILED history=FAILED']],
    [
      'lost, and mended before',
      S('FAILED', failedAs('ExecutionLost')),
      H('FAILED', failedAs('ExecutionLost')),
      lost,
      [],
    ],
    ['lost, one end written', S('COMPLETE'), H('IN_PROGRESS'), lost, ['EndsDiffer history=COMPLETE']],
    ['lost, two ends written', S('COMPLETE'), H('FAILED'), lost, ['EndsDiffer']],
    [
      'lost, two reasons written',
      S('FAILED', failedAs('BuildFailed')),
      H('FAILED', failedAs('ExecutionLost')),
      lost,
      ['EndsDiffer'],
    ],
    [
      'lost, two ends written, the build API asked',
      S('COMPLETE'),
      H('FAILED'),
      lost,
      ['EndsDiffer history=COMPLETE'],
      asked,
    ],
    [
      'lost, the build API asked',
      S('IN_PROGRESS'),
      H('IN_PROGRESS'),
      lost,
      ['WorkflowGone status=COMPLETE history=COMPLETE'],
      asked,
    ],
    [
      'gone, before its history record',
      S('IN_PROGRESS'),
      undefined,
      gone,
      ['WorkflowGone status=FAILED +history=FAILED'],
    ],
    ['gone, without a status record', undefined, H('IN_PROGRESS'), gone, ['WorkflowGone history=FAILED']],
    ['gone, ended, without a status record', undefined, H('COMPLETE'), gone, ['RecordMissing']],
    ['a status that is none', S('DONE'), H('COMPLETE'), gone, ['StatusUnknown status=COMPLETE']],
    [
      'no status',
      S('x', { status: undefined }),
      H('IN_PROGRESS'),
      running('written'),
      ['AttributeMissing status=IN_PROGRESS'],
    ],
    [
      'an attribute of another type',
      S('COMPLETE', { dry_run: 'no' }),
      H('COMPLETE'),
      ended('COMPLETE'),
      ['AttributeMissing status=dry_run'],
    ],
    [
      'an attribute that the other record has',
      S('COMPLETE', { action: undefined }),
      H('COMPLETE'),
      gone,
      ['AttributeMissing status=action'],
    ],
    [
      'an attribute that nothing tells',
      S('COMPLETE', { build_type: undefined }),
      H('COMPLETE'),
      gone,
      ['AttributeMissing'],
    ],
  ] as const satisfies [string, Item | undefined, Item | undefined, Truth, string[], Asked?][]) {
    it(`${what}: ${expected.join('; ') || 'nothing'}`, () => {
      assert.deepEqual(judged(status, history, truth as Truth, answer), expected);
    });
  }

  it('a start in the future is a finding, whatever else', () => {
    const start_at = new Date(Date.now() + 60_000).toISOString();
    const soon = { ...gone };
    assert.deepEqual(judged(S('COMPLETE', { start_at }), H('COMPLETE', { start_at }), soon), ['ClocksApart']);
  });
});
