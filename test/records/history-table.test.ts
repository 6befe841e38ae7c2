import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { DeleteItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { Job } from '../../src/domain/identity.ts';
import type { HistoryRequest } from '../../src/domain/role-build-input.ts';
import {
  endHistoryRecord,
  putHistoryRecord,
  queryHistory,
  readHistoryRecord,
} from '../../src/records/history-table.ts';
import { isWritten, itemOf, JOB, NEWER, OLDER, raw, tables, TIME, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

/** Each test has its own. */
let request: HistoryRequest;
let count = 0;
beforeEach(() => {
  count += 1;
  request = {
    correlation_id: `request-${count}`,
    account_id: '123456789012',
    resource: 'iam_role#data-reader',
    action: 'create',
    trace_header: 'Root=1',
  };
});

const keyItem = (): Item => ({ request_id: { S: request.correlation_id } });
const item = () => itemOf('history-records', keyItem());
const put = (job: Job, more: Partial<HistoryRequest> = {}) =>
  isWritten(putHistoryRecord(tables, { ...request, ...more }, job));
const end = (job: Job, mayCreate: boolean, how: Parameters<typeof endHistoryRecord>[3] = { status: 'COMPLETE' }) =>
  isWritten(endHistoryRecord(tables, request, job, how, mayCreate));

/** Runs a write that must be refused. */
async function assertRefused(write: () => Promise<boolean>): Promise<void> {
  const before = await item();
  assert.equal(await write(), false);
  assert.deepEqual(await item(), before);
}

/** Records that an older job of the same request may have left. */
const FAILED = { status: 'FAILED', build_id: 'b', error_info: { Error: 'BuildFailed', Cause: 'quota' } } as const;

const inProgress = (job: Job, more: Partial<HistoryRequest> = {}) => put(job, more);
const ended = async (job: Job, more: Partial<HistoryRequest> = {}) => {
  assert.ok(await put(job, more));
  assert.ok(await isWritten(endHistoryRecord(tables, { ...request, ...more }, job, FAILED, false)));
};
const STATES = [
  ['in progress', inProgress],
  ['ended', ended],
] as const;

/** The record of another request that has the same ID. */
const FOREIGN: [string, Partial<HistoryRequest>][] = [
  ['account', { account_id: '210987654321' }],
  ['resource', { resource: 'iam_role#another' }],
];

const ours = {
  account_id: { S: '123456789012' },
  resource: { S: 'iam_role#data-reader' },
  action: { S: 'create' },
  job_id: { S: 'job-2' },
  start_at: { S: '2026-01-02T00:00:00.000Z' },
  trace_header: { S: 'Root=1' },
};

async function itemWithoutTime(): Promise<Item> {
  const { updated_at, ...rest } = (await item()) ?? {};
  assert.match(updated_at?.S ?? '', TIME);
  return rest;
}

describe('the put', () => {
  it("the put writes the state machine's attributes in its types, and updated_at", async () => {
    assert.equal(await put(JOB), true);
    assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: 'IN_PROGRESS' } });
  });

  it('the put writes requested_by, if it is known', async () => {
    await put(JOB, { requested_by: 'user@host' });
    assert.deepEqual((await item())?.['requested_by'], { S: 'user@host' });
  });

  for (const [name, arrange] of STATES) {
    it(`the put replaces an older job's record as a whole, ${name}`, async () => {
      await arrange(OLDER, { requested_by: 'someone else' });
      assert.equal(await put(JOB), true);
      assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: 'IN_PROGRESS' } });
    });

    it(`the put leaves a newer job's record alone, ${name}`, async () => {
      await arrange(NEWER);
      await assertRefused(() => put(JOB));
    });

    for (const [what, other] of FOREIGN) {
      for (const job of [OLDER, JOB]) {
        it(`the put never replaces the record of another ${what}, ${name}, ${job === JOB ? 'even of this job' : 'though older'}`, async () => {
          await arrange(job, other);
          await assertRefused(() => put(JOB));
        });
      }
    }
  }

  it("the put holds for this job's own record in progress, as after a lost answer", async () => {
    await put(JOB);
    assert.equal(await put(JOB), true);
  });

  it("the put leaves this job's own end alone", async () => {
    await ended(JOB);
    await assertRefused(() => put(JOB));
  });

  it('the put leaves the record of another job alone that began at the same time', async () => {
    await put({ ...JOB, job_id: 'another' });
    await assertRefused(() => put(JOB));
  });

  it('the put writes if the record was deleted', async () => {
    await ended(NEWER);
    await raw.send(new DeleteItemCommand({ TableName: 'history-records', Key: keyItem() }));
    assert.equal(await put(JOB), true);
  });

  it('the put fails if the table is missing', async () => {
    const elsewhere = { ...tables, historyTable: 'no-such-table' };
    await assert.rejects(putHistoryRecord(elsewhere, request, JOB), { name: 'ResourceNotFoundException' });
  });
});

for (const mayCreate of [true, false]) {
  describe(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"}`, () => {
    it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} ends this job's own record, with build_id and error_info in their types`, async () => {
      request.requested_by = 'user@host';
      await put(JOB);
      assert.equal(await end(JOB, mayCreate, FAILED), true);
      assert.deepEqual(await itemWithoutTime(), {
        ...keyItem(),
        ...ours,
        requested_by: { S: 'user@host' },
        status: { S: 'FAILED' },
        build_id: { S: 'b' },
        error_info: { M: { Error: { S: 'BuildFailed' }, Cause: { S: 'quota' } } },
      });
    });

    for (const status of ['COMPLETE', 'CANCELLED'] as const) {
      it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} adds no attribute without a value, when it is ${status}`, async () => {
        await put(JOB);
        assert.equal(await end(JOB, mayCreate, { status }), true);
        assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: status } });
      });
    }

    for (const status of ['COMPLETE', 'CANCELLED', 'FAILED'] as const) {
      it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} replaces any end in this job's own record, and leaves nothing of it, when it is ${status}`, async () => {
        await ended(JOB);
        await end(JOB, mayCreate, { ...FAILED, cancelled_by: 'user@host' });
        assert.equal(await end(JOB, mayCreate, { status }), true);
        assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: status } });
      });
    }

    it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} fills in what somebody removed from this job's own record`, async () => {
      await put(JOB);
      await raw.send(
        new UpdateItemCommand({
          TableName: 'history-records',
          Key: keyItem(),
          UpdateExpression: 'SET start_at = :odd REMOVE #action, #resource',
          ExpressionAttributeNames: { '#action': 'action', '#resource': 'resource' },
          ExpressionAttributeValues: { ':odd': { S: 'yesterday' } },
        }),
      );
      assert.equal(await end(JOB, mayCreate), true);
      assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: 'COMPLETE' } });
    });

    for (const [name, arrange] of STATES) {
      it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} leaves a newer job's record alone, ${name}`, async () => {
        await arrange(NEWER);
        await assertRefused(() => end(JOB, mayCreate));
      });

      for (const [what, other] of FOREIGN) {
        it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} never replaces the record of another ${what}, ${name}, though older`, async () => {
          await arrange(OLDER, other);
          await assertRefused(() => end(JOB, mayCreate));
        });
      }

      if (mayCreate) {
        it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} replaces an older job's record as a whole, ${name}`, async () => {
          await arrange(OLDER, { requested_by: 'someone else' });
          assert.equal(await end(JOB, mayCreate), true);
          assert.deepEqual(await itemWithoutTime(), { ...keyItem(), ...ours, status: { S: 'COMPLETE' } });
        });
      } else {
        it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} leaves an older job's record alone, ${name}`, async () => {
          await arrange(OLDER);
          await assertRefused(() => end(JOB, mayCreate));
        });
      }
    }

    it(`the final record update ${mayCreate ? 'that may create the record' : "of this job's record alone"} makes ${mayCreate ? 'the whole record' : 'no record'} if there is none`, async () => {
      assert.equal(await end(JOB, mayCreate, FAILED), mayCreate);
      if (!mayCreate) return assert.equal(await item(), undefined);
      assert.deepEqual(await itemWithoutTime(), {
        ...keyItem(),
        ...ours,
        status: { S: 'FAILED' },
        build_id: { S: 'b' },
        error_info: { M: { Error: { S: 'BuildFailed' }, Cause: { S: 'quota' } } },
      });
    });
  });
}

describe('reading', () => {
  it('reading returns the record unchanged', async () => {
    request.requested_by = 'user@host';
    await ended(JOB);
    const { updated_at, ...rest } = (await readHistoryRecord(tables, request.correlation_id)) ?? {};
    assert.match(updated_at ?? '', TIME);
    assert.deepEqual(rest, {
      request_id: request.correlation_id,
      account_id: '123456789012',
      resource: 'iam_role#data-reader',
      action: 'create',
      ...JOB,
      trace_header: 'Root=1',
      requested_by: 'user@host',
      ...FAILED,
    });
  });

  it('reading returns nothing if there is no record', async () => {
    assert.equal(await readHistoryRecord(tables, 'none'), undefined);
  });
});

describe("an account's requests", () => {
  const ACCOUNT = '111122223333';
  const place = (request_id: string, start_at: string, more: Item = {}) =>
    raw.send(
      new PutItemCommand({
        TableName: 'history-records',
        Item: {
          request_id: { S: request_id },
          account_id: { S: ACCOUNT },
          resource: { S: 'iam_role#reader' },
          start_at: { S: start_at },
          ...more,
        },
      }),
    );
  const find = async (options: Parameters<typeof queryHistory>[2]) => {
    const { requests, next } = await queryHistory(tables, ACCOUNT, options);
    return { ids: requests.map(({ record }) => record.request_id), requests, next };
  };

  it("an account's requests are found newest first, of one resource and since a time too, and page by page", async () => {
    await place('a', '2026-01-01T00:00:00.000Z', { status: { S: 'FAILED' }, action: { N: '1' } });
    await place('c', '2026-01-03T00:00:00.000Z', { resource: { S: 'iam_role#writer' } });
    await place('b', '2026-01-02T00:00:00.000Z');
    await place('foreign', '2026-01-02T00:00:00.000Z', { account_id: { S: '210987654321' } });
    const all = await find({});
    assert.deepEqual(all.ids, ['c', 'b', 'a']);
    assert.equal('next' in all && all.next, undefined);
    const oldest = all.requests[2];
    const position = { request_id: 'a', account_id: ACCOUNT, start_at: '2026-01-01T00:00:00.000Z' };
    assert.deepEqual(oldest?.position, position);
    const { odd_attributes, ...record } = oldest.record;
    assert.deepEqual(record, { ...position, resource: 'iam_role#reader', status: 'FAILED' });
    assert.equal(odd_attributes?.['action'], 'action is not text: 1');

    assert.deepEqual((await find({ since: '2026-01-02T00:00:00.000Z' })).ids, ['c', 'b']);
    assert.deepEqual((await find({ resource: 'iam_role#reader' })).ids, ['b', 'a']);
    assert.deepEqual((await find({ resource: 'iam_role#reader', since: '2026-01-02T00:00:00.000Z' })).ids, ['b']);
    const after = all.requests[0]?.position as NonNullable<typeof all.next>;
    assert.deepEqual((await find({ after })).ids, ['b', 'a']);

    // A page of a query is 1 MiB.
    for (const day of ['04', '05', '06']) {
      await place(day, `2026-01-${day}T00:00:00.000Z`, { padding: { S: 'x'.repeat(390_000) } });
    }
    const first = await find({});
    assert.ok(first.next);
    const second = await find({ after: first.next });
    assert.equal(second.next, undefined);
    assert.deepEqual([...first.ids, ...second.ids], ['06', '05', '04', 'c', 'b', 'a']);
  });
});
