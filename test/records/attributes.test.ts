import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resumptionFaults } from '../../src/domain/validate-input.ts';
import { withPreviousJob } from '../../src/domain/previous-jobs.ts';
import { asRecord, oddities } from '../../src/records/attributes.ts';
import type { HistoryRecord } from '../../src/records/history-table.ts';
import type { Item, Table } from '../../src/records/items.ts';

const STATUS: Item = {
  account_id: '123456789012',
  resource: 'iam_role#data-reader',
  build_type: 'iam_role',
  action: 'create',
  custom_role_name: 'data-reader',
  dry_run: false,
  job_id: 'job',
  start_at: '2026-01-02T00:00:00.000Z',
  status: 'FAILED',
  correlation_id: 'request',
  trace_header: 'Root=1',
  updated_at: '2026-01-02T00:01:00.000Z',
  build_id: 'b',
  error_info: { Error: 'BuildFailed', Cause: 'quota' },
  directory_group: { name: 'g', dn: 'CN=g', outcome: 'created' },
};
const HISTORY: Item = {
  request_id: 'request',
  account_id: '123456789012',
  resource: 'iam_role#data-reader',
  action: 'create',
  job_id: 'job',
  start_at: '2026-01-02T00:00:00.000Z',
  status: 'COMPLETE',
  trace_header: 'Root=1',
  updated_at: '2026-01-02T00:01:00Z',
  build_id: 'b',
  error_info: { Error: 'BuildFailed', Cause: 'quota' },
  directory_group: { name: 'g', dn: 'CN=g', outcome: 'created' },
  requested_by: 'user@host',
  cancelled_by: 'user@host',
  previous_jobs: [
    { job_id: 'i', start_at: '2026-01-01T00:00:00.000Z', status: 'FAILED' },
    {
      job_id: 'j',
      start_at: '2026-01-01T00:00:00.000Z',
      status: 'FAILED',
      error_info: { Error: 'BuildFailed', Cause: 'quota' },
    },
  ],
};
const RECORDS: Record<Table, Item> = { status: STATUS, history: HISTORY };

describe('an item read as a record', () => {
  for (const [table, record] of Object.entries(RECORDS) as [Table, Item][]) {
    it(`an item read as a record is the record itself if nothing is malformed: ${table}`, () => {
      assert.deepEqual(asRecord(table, record), record);
      assert.equal(asRecord(table, record).odd_attributes, undefined);
    });

    it(`an item read as a record has no attribute of a wrong type: ${table}`, () => {
      for (const name of Object.keys(record)) {
        const { odd_attributes } = asRecord(table, { ...record, [name]: 7 });
        assert.deepEqual(Object.keys(odd_attributes ?? {}), [name]);
      }
    });
  }

  it('an item read as a record keeps unknown attributes and our optional ones', () => {
    const { updated_at: _, build_id: __, error_info: ___, directory_group: ____, ...rest } = STATUS;
    const item = { ...rest, team: { SS: ['a'] }, retries: 3 };
    assert.deepEqual(asRecord('status', item), item);
  });

  for (const [table, name, value, fault] of [
    ['status', 'start_at', undefined, 'start_at is missing'],
    ['status', 'start_at', 5, 'start_at is not a time in ISO 8601, UTC: 5'],
    ['status', 'start_at', 'yesterday', 'start_at is not a time in ISO 8601, UTC: "yesterday"'],
    [
      'status',
      'start_at',
      '2026-02-31T00:00:00.000Z',
      'start_at is not a time in ISO 8601, UTC: "2026-02-31T00:00:00.000Z"',
    ],
    ['status', 'start_at', '2026-01-02', 'start_at is not a time in ISO 8601, UTC: "2026-01-02"'],
    ['status', 'start_at', '2026-01-02T00:00Z', 'start_at is not a time in ISO 8601, UTC: "2026-01-02T00:00Z"'],
    [
      'status',
      'start_at',
      '2026-01-02T00:00:00+01:00',
      'start_at is not a time in ISO 8601, UTC: "2026-01-02T00:00:00+01:00"',
    ],
    ['status', 'job_id', { N: '12345678901234567890' }, 'job_id is not text: {"N":"12345678901234567890"}'],
    ['status', 'status', null, 'status is not text: null'],
    ['status', 'dry_run', 'false', 'dry_run is not a boolean: "false"'],
    ['status', 'error_info', 'quota', 'error_info is not a map with the texts Error and Cause: "quota"'],
    ['status', 'error_info', null, 'error_info is not a map with the texts Error and Cause: null'],
    ['status', 'error_info', { Error: 'E' }, 'error_info is not a map with the texts Error and Cause: {"Error":"E"}'],
    ['status', 'error_info', { Cause: 'C' }, 'error_info is not a map with the texts Error and Cause: {"Cause":"C"}'],
    [
      'status',
      'directory_group',
      'g',
      'directory_group is not a map with the texts name and dn, and an outcome of builds: "g"',
    ],
    ['history', 'updated_at', 1e9, 'updated_at is not a time in ISO 8601, UTC: 1000000000'],
    ['history', 'requested_by', { SS: ['a'] }, 'requested_by is not text: {"SS":["a"]}'],
    ['history', 'previous_jobs', 'none', 'previous_jobs is not a list of jobs: "none"'],
    ['history', 'previous_jobs', [null], 'previous_jobs is not a list of jobs: [null]'],
    [
      'history',
      'previous_jobs',
      [{ job_id: 'j', start_at: 's', status: 'FAILED', error_info: 'quota' }],
      'previous_jobs is not a list of jobs: [{"job_id":"j","start_at":"s","status":"FAILED","error_info":"quota"}]',
    ],
  ] as const satisfies [Table, string, unknown, string][]) {
    it(`an item read as a record leaves out what can't be relied on and says so: ${fault}`, () => {
      const record = asRecord(table, { ...RECORDS[table], [name]: value });
      const { [name]: _, ...rest } = RECORDS[table];
      assert.deepEqual(record, { ...rest, odd_attributes: { [name]: fault } });
      assert.ok(record.odd_attributes);
    });
  }

  it('an item read as a record has no previous jobs that resume would refuse', () => {
    const sent_to = { name: 'dc1', address: '10.0.0.1' };
    const error_info = { Error: 'DirectoryGroupUnknown', Cause: 'c', sent_to };
    const job = { job_id: 'j', start_at: 's', status: 'FAILED', updated_at: 'u', build_id: 'b', error_info };
    const strange = [undefined, null, 5, '', 'text', 'half \uD83D', [], {}, { Error: 'E', Cause: 'C', more: 1 }];
    let whole = 0;
    for (const value of strange) {
      const more = { ...job, error_info: { ...error_info, more: value } };
      const replaced = Object.keys(job).map((name) => ({ ...job, [name]: value }));
      const inError = Object.keys(error_info).map((name) => ({ ...job, error_info: { ...error_info, [name]: value } }));
      for (const one of [job, more, ...replaced, ...inError]) {
        const record = asRecord<HistoryRecord>('history', { ...HISTORY, previous_jobs: [one] });
        if (record.previous_jobs === undefined) continue;
        whole += 1;
        const [last = assert.fail()] = record.previous_jobs;
        const resumption = { resumes: 'j', previous_jobs: withPreviousJob(record.previous_jobs, last) };
        assert.deepEqual(resumptionFaults(resumption), [], JSON.stringify(one));
      }
    }
    assert.ok(whole > strange.length);
  });

  it('an item read as a record drops a list in which a previous job lacks an attribute', () => {
    const job = { job_id: 'j', start_at: 's', status: 'FAILED' };
    for (const name of Object.keys(job)) {
      const previous_jobs = [job, { ...job, [name]: undefined }];
      assert.ok(asRecord('history', { ...HISTORY, previous_jobs }).odd_attributes, name);
    }
  });

  it('an item read as a record names every malformed attribute, also in one sentence', () => {
    assert.deepEqual(Object.keys(asRecord('status', {}).odd_attributes ?? {}), [
      'account_id',
      'resource',
      'build_type',
      'action',
      'custom_role_name',
      'dry_run',
      'job_id',
      'start_at',
      'status',
      'correlation_id',
      'trace_header',
    ]);
    const record = asRecord('history', { ['__proto__']: 'x', constructor: 'y', odd_attributes: 7 });
    assert.equal(
      oddities(record),
      'request_id is missing; account_id is missing; resource is missing; action is missing; job_id is missing; start_at is missing; ' +
        'status is missing; trace_header is missing',
    );
  });

  it("an item read as a record can't declare itself malformed", () => {
    assert.deepEqual(asRecord('status', { ...STATUS, odd_attributes: { status: 'odd' } }), STATUS);
  });

  it('an item read as a record quotes only the beginning of a long value', () => {
    const { odd_attributes } = asRecord('status', { ...STATUS, build_id: ['x'.repeat(10_000)] });
    assert.equal(odd_attributes?.['build_id'], `build_id is not text: ["${'x'.repeat(197)}…`);
  });
});
