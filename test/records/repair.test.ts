import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { writeAsFound } from '../../src/records/repair.ts';
import { itemOf, tables, raw, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

const KEY = { request_id: { S: 'request' } };
const ITEM: Item = {
  ...KEY,
  job_id: { S: 'job-1' },
  start_at: { S: '2026' },
  status: { S: 'IN_PROGRESS' },
  build_id: { S: 'b' },
  dry_run: { BOOL: false },
  other: { N: '1' },
};
const FOUND = {
  request_id: 'request',
  job_id: 'job-1',
  start_at: '2026',
  status: 'IN_PROGRESS',
  build_id: 'b',
  dry_run: false,
  other: 1,
};
const SET = {
  status: 'FAILED',
  dry_run: true,
  updated_at: 'now',
  error_info: { Error: 'ExecutionLost', Cause: 'x' },
  build_id: undefined,
};

const stored = () => itemOf(tables.historyTable, KEY);
const put = (item: Item) => raw.send(new PutItemCommand({ TableName: tables.historyTable, Item: item }));
const write = (found: Record<string, unknown> | undefined, set: Record<string, unknown> = SET, remove: string[] = []) =>
  writeAsFound(tables, { table: 'history', found, set: { request_id: 'request', ...set }, remove });

describe('a write to a record as it was found', () => {
  it('a write to a record as it was found changes what it says and keeps the rest', async () => {
    await put(ITEM);
    assert.equal(await write(FOUND, SET, ['other']), true);
    const { other: _, ...rest } = ITEM;
    assert.deepEqual(await stored(), {
      ...rest,
      status: { S: 'FAILED' },
      dry_run: { BOOL: true },
      updated_at: { S: 'now' },
      error_info: { M: { Error: { S: 'ExecutionLost' }, Cause: { S: 'x' } } },
    });
  });

  for (const [what, change] of [
    ['another job', { job_id: { S: 'job-2' } }],
    ['another status', { status: { S: 'COMPLETE' } }],
    ['another start', { start_at: { S: '2027' } }],
    ['a later update', { updated_at: { S: 'later' } }],
    ['what else it sets', { dry_run: { BOOL: true } }],
    ['an attribute that was not there', { error_info: { M: {} } }],
  ] as const) {
    it(`a write to a record as it was found is not made over ${what}`, async () => {
      const changed = { ...ITEM, ...change };
      await put(changed);
      assert.equal(await write(FOUND), false);
      assert.equal(await write(FOUND, { dry_run: false, error_info: SET.error_info }), false);
      assert.deepEqual(await stored(), changed);
    });
  }

  it('a write to a record as it was found creates a record only if there still is none, and does not recreate a deleted one', async () => {
    await put(ITEM);
    assert.equal(await write(undefined), false);
    assert.deepEqual(await stored(), ITEM);
    const key = { account_id: 'a', resource: 'r' };
    const elsewhere = { table: 'status' as const, set: { ...SET, ...key } };
    assert.equal(await writeAsFound(tables, { ...elsewhere, found: { ...FOUND, ...key } }), false);
    assert.equal(await writeAsFound(tables, { ...elsewhere, found: undefined }), true);
    assert.equal(await writeAsFound(tables, { ...elsewhere, found: undefined }), false);
  });

  it('a write to a record as it was found works whatever the record held', async () => {
    const odd: Item = { ...KEY, job_id: { S: 'job-1' }, status: { NS: ['1', '2'] }, action: { N: '1e100' } };
    await put(odd);
    const found = { request_id: 'request', job_id: 'job-1', status: { NS: ['1', '2'] }, action: 1e100 };
    assert.equal(await write(found, { status: 'FAILED', action: 'create' }), true);
    assert.deepEqual(await stored(), { ...odd, status: { S: 'FAILED' }, action: { S: 'create' } });
  });
});
