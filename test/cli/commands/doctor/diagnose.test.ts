import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { observationOf, type Found } from '../../../../src/cli/commands/doctor/observation.ts';
import { diagnose, type Diagnosis } from '../../../../src/cli/commands/doctor/diagnose.ts';
import type { ApiAnswer } from '../../../../src/cli/commands/doctor/ask-api.ts';
import { newBuildState } from '../../../../src/cli/build/state.ts';
import type { ActualState } from '../../../../src/cli/commands/doctor/actual-state.ts';
import type { Item, Table } from '../../../../src/records/items.ts';
import { inputFor } from '../../../support/stack.ts';

const INPUT = inputFor({ buildApiUrl: 'http://127.0.0.1:9' }, 'diagnosis');
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
const BOTH: Table[] = ['status', 'history'];
const run = (written: Table[], triggered = true) => ({
  workflow_id: 'w',
  is_latest: true,
  trace: {
    build: { ...newBuildState(), input: INPUT, start_at: START, build_id: 'b-1' },
    written: new Set(written),
    triggered,
  },
});
const running = (written: Table[]): ActualState => ({ state: 'running', how: 'is running', run: run(written) });
const updating: ActualState = {
  state: 'running',
  how: 'is running',
  run: { ...run(BOTH), trace: { ...run(BOTH).trace, decided: { status: 'COMPLETE' } } },
};
const lost: ActualState = { state: 'lost', how: 'was terminated by x', run: run(BOTH) };
const gone: ActualState = { state: 'gone', how: 'is not known' };
const refused: ActualState = { state: 'refused', how: 'ended as InvalidInput', run: run([], false) };
const ended = (status: 'COMPLETE' | 'CANCELLED', isLatest = true): ActualState => ({
  state: 'ended',
  how: `ended ${status}`,
  end: { status },
  run: { ...run(BOTH), is_latest: isLatest },
});
const failedAs = (name: string): Item => ({ error_info: { Error: name, Cause: '…' } });

/** Formats each finding as its kind and its writes. */
function diagnosis(
  status: Item | undefined,
  history: Item | undefined,
  actual: ActualState,
  answer?: ApiAnswer,
): string[] {
  const found: Found = { status, history };
  return diagnose(observationOf('job', found, actual), answer, Date.now()).map(inShort);
}

function inShort({ finding, writes }: Diagnosis): string {
  const each = writes.map(
    ({ table, found, set, remove = [] }) =>
      `${found === undefined ? '+' : ''}${table}=${typeof set['status'] === 'string' ? set['status'] : Object.keys(set).join()}${remove.map((name) => `-${name}`).join('')}`,
  );
  return [finding, ...each].join(' ');
}

describe('diagnosing a job', () => {
  const S = statusRecord;
  const H = historyRecord;
  const foreign = historyRecord('COMPLETE', { resource: 'another', job_id: 'other' });
  const answer: ApiAnswer = { end: { status: 'COMPLETE', build_id: 'b-1' }, says: 'SUCCEEDED', isUndecided: false };
  const stepFunctions = { job_id: 'arn:aws-us-gov:states:x', start_at: OLDER };

  for (const [what, status, history, actual, expected, said] of [
    ['a running build', S('IN_PROGRESS'), H('IN_PROGRESS'), running(BOTH), []],
    ['before its first put', undefined, undefined, running([]), []],
    ['while its first put is under way', undefined, undefined, running([]), []],
    ['after a newer job refused it', S('COMPLETE', { job_id: 'n', start_at: NEWER }), undefined, running([]), []],
    [
      'running without records',
      undefined,
      undefined,
      running(BOTH),
      ['WorkflowWithoutRecord +status=IN_PROGRESS', 'WorkflowWithoutRecord +history=IN_PROGRESS'],
    ],
    [
      "running with an older job's",
      S('FAILED', { job_id: 'o', start_at: OLDER }),
      H('IN_PROGRESS'),
      running(BOTH),
      ['WorkflowWithoutRecord status=IN_PROGRESS'],
    ],
    ["running with a newer job's", S('FAILED', { job_id: 'n', start_at: NEWER }), H('IN_PROGRESS'), running(BOTH), []],
    ["running with Step Functions' record", S('IN_PROGRESS', stepFunctions), H('IN_PROGRESS'), running(BOTH), []],
    ['running with the request ID of another', S('IN_PROGRESS'), foreign, running(BOTH), []],
    ['running with an end', S('COMPLETE'), H('IN_PROGRESS'), running(BOTH), ['EndsDiffer status=IN_PROGRESS']],
    ['reset to its start after its end', S('COMPLETE'), H('COMPLETE'), running([]), []],
    ['between its final record updates', S('COMPLETE'), H('IN_PROGRESS'), updating, []],
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
      running(BOTH),
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
    ['ended, without a status record, a newer job there', undefined, H('COMPLETE'), ended('COMPLETE', false), []],
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
      'lost, and repaired before',
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
      answer,
    ],
    [
      'lost, the build API asked',
      S('IN_PROGRESS'),
      H('IN_PROGRESS'),
      lost,
      ['WorkflowGone status=COMPLETE history=COMPLETE'],
      answer,
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
      running(BOTH),
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
  ] as const satisfies [string, Item | undefined, Item | undefined, ActualState, string[], ApiAnswer?][]) {
    it(`the diagnosis if ${what}: ${expected.join('; ') || 'nothing'}`, () => {
      assert.deepEqual(diagnosis(status, history, actual, said), expected);
    });
  }

  it('a start in the future is always a finding', () => {
    const start_at = new Date(Date.now() + 60_000).toISOString();
    const soon = { ...gone };
    assert.deepEqual(diagnosis(S('COMPLETE', { start_at }), H('COMPLETE', { start_at }), soon), ['ClocksApart']);
  });
});

describe("a job's group", () => {
  const group = { name: 'AWS-1-x', dn: 'CN=AWS-1-x', object_guid: '0-0', outcome: 'created' } as const;
  const writesOf = (found: Found, actual: ActualState) =>
    diagnose(observationOf('job', found, actual), undefined, Date.now()).flatMap(({ writes }) => writes);
  const withGroup = { ...ended('COMPLETE'), end: { status: 'COMPLETE', directory_group: group } } as ActualState;

  it("a job's group is written with the end to every record that is repaired", () => {
    for (const history of [historyRecord('IN_PROGRESS'), undefined]) {
      const writes = writesOf({ status: statusRecord('IN_PROGRESS'), history }, withGroup);
      assert.deepEqual(
        writes.map(({ table, set }) => [table, set['directory_group']]),
        BOTH.map((table) => [table, group]),
      );
    }
  });

  it("a job's group is taken from the other record if Temporal has nothing any more", () => {
    const found = {
      status: statusRecord('COMPLETE', { directory_group: group }),
      history: historyRecord('IN_PROGRESS'),
    };
    assert.deepEqual(writesOf(found, gone)[0]?.set['directory_group'], group);
    const odd = { ...found, status: statusRecord('COMPLETE', { directory_group: { ...group, outcome: 'odd' } }) };
    assert.equal(writesOf(odd, gone)[0]?.set['directory_group'], undefined);
  });

  it("a job's group does not stay in a record that a newer job's replaces", () => {
    const older = historyRecord('FAILED', { job_id: 'o', start_at: OLDER, directory_group: group });
    const [write] = writesOf({ status: statusRecord('COMPLETE'), history: older }, ended('COMPLETE'));
    assert.ok(write?.remove?.includes('directory_group'));
  });
});
