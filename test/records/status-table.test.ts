import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { Job } from '../../src/domain/identity.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { endStatusRecord, findTwins, putStatusRecord, readStatusRecord } from '../../src/records/status-table.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { isWritten, itemOf, JOB, NEWER, OLDER, raw, tables, TIME, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

/** Each test has a resource of its own. */
let input: RoleBuildInput;
let count = 0;
beforeEach(() => {
  count += 1;
  input = { ...sampleInput(), ddb_composite_sort_key: `iam_role#${count}` };
});

const keyItem = (): Item => ({ account_id: { S: '123456789012' }, resource: { S: input.ddb_composite_sort_key } });
const item = () => itemOf('status-records', keyItem());
const put = (job: Job, more: Partial<RoleBuildInput> = {}) =>
  isWritten(putStatusRecord(tables, { ...input, ...more }, job));
const end = (job: Job, how: Parameters<typeof endStatusRecord>[3] = { status: 'COMPLETE' }) =>
  isWritten(endStatusRecord(tables, { account_id: '123456789012', resource: input.ddb_composite_sort_key }, job, how));

/** Runs a write that must be refused. */
async function assertRefused(write: () => Promise<boolean>): Promise<void> {
  const before = await item();
  assert.equal(await write(), false);
  assert.deepEqual(await item(), before);
}

const inProgress = (job: Job) => put(job);
const ended = async (job: Job) => assert.ok((await put(job)) && (await end(job)));

describe('the put', () => {
  it("the put writes the state machine's attributes in its types, and updated_at", async () => {
    input.build_body.dry_run = true;
    input.build_body['more'] = 'is for the build API alone';
    assert.equal(await put(JOB, { requested_by: 'is for the history alone', poll_interval_seconds: 5 }), true);
    const { updated_at, ...rest } = (await item()) ?? {};
    assert.match(updated_at?.S ?? '', TIME);
    assert.deepEqual(rest, {
      ...keyItem(),
      build_type: { S: 'iam_role' },
      action: { S: 'create' },
      custom_role_name: { S: 'data-reader' },
      dry_run: { BOOL: true },
      job_id: { S: 'job-2' },
      start_at: { S: '2026-01-02T00:00:00.000Z' },
      status: { S: 'IN_PROGRESS' },
      correlation_id: { S: 'request-1' },
      trace_header: { S: 'Root=1-67891233-abcdef012345678912345678' },
    });
  });

  it('the put never writes the credential', async () => {
    await put(JOB, { encrypted_jwt: 'ciphertext' });
    assert.ok(!JSON.stringify(await item()).includes('ciphertext'));
  });

  for (const [name, arrange] of [
    ['in progress', inProgress],
    ['ended', ended],
  ] as const) {
    it(`the put replaces an older job's record as a whole, ${name}`, async () => {
      await arrange(OLDER);
      await end(OLDER, { status: 'FAILED', build_id: 'b', error_info: { Error: 'BuildFailed', Cause: 'quota' } });
      assert.equal(await put(JOB, { correlation_id: 'request-2' }), true);
      const found = await item();
      assert.deepEqual(found?.['job_id'], { S: 'job-2' });
      assert.deepEqual(found['correlation_id'], { S: 'request-2' });
      assert.deepEqual(found['status'], { S: 'IN_PROGRESS' });
      assert.ok(!('build_id' in found) && !('error_info' in found));
    });

    it(`the put leaves a newer job's record alone, ${name}`, async () => {
      await arrange(NEWER);
      await assertRefused(() => put(JOB));
    });
  }

  it("the put holds for this job's own record in progress, as after a lost answer", async () => {
    await put(JOB);
    assert.equal(await put(JOB), true);
    assert.deepEqual((await item())?.['status'], { S: 'IN_PROGRESS' });
  });

  it("the put leaves this job's own end alone", async () => {
    for (const status of ['COMPLETE', 'FAILED', 'CANCELLED'] as const) {
      input.ddb_composite_sort_key += `-${status}`;
      await put(JOB);
      await end(JOB, { status });
      await assertRefused(() => put(JOB));
    }
  });

  it('the put leaves the record of another job alone that began at the same time', async () => {
    await put({ ...JOB, job_id: 'another' });
    await assertRefused(() => put(JOB));
  });

  it('the put writes if the record was deleted', async () => {
    await ended(NEWER);
    await raw.send(new DeleteItemCommand({ TableName: 'status-records', Key: keyItem() }));
    assert.equal(await put(JOB), true);
  });

  it('the put changes no record of another account or resource', async () => {
    await put(NEWER);
    assert.equal(await put(JOB, { ddb_composite_sort_key: `${input.ddb_composite_sort_key}#2` }), true);
    const build_body = { ...input.build_body, account_id: '210987654321' };
    assert.equal(await put(JOB, { build_body }), true);
    assert.deepEqual((await item())?.['job_id'], { S: 'job-3' });
  });

  it('the put fails if the table is missing', async () => {
    const elsewhere = { ...tables, statusTable: 'no-such-table' };
    await assert.rejects(putStatusRecord(elsewhere, input, JOB), { name: 'ResourceNotFoundException' });
  });
});

describe('the final record update', () => {
  it('the final record update changes status and time, and adds build_id and error_info in their types', async () => {
    await put(JOB);
    const before = await item();
    await raw.send(
      new PutItemCommand({ TableName: 'status-records', Item: { ...before, updated_at: { S: 'before' } } }),
    );
    const error_info = { Error: 'BuildFailed', Cause: 'GetBuildStatus: quota' } as const;
    assert.equal(await end(JOB, { status: 'FAILED', build_id: '7', error_info }), true);
    const { updated_at, ...rest } = (await item()) ?? {};
    assert.match(updated_at?.S ?? '', TIME);
    assert.deepEqual(rest, {
      ...Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => name !== 'updated_at')),
      status: { S: 'FAILED' },
      build_id: { S: '7' },
      error_info: { M: { Error: { S: 'BuildFailed' }, Cause: { S: 'GetBuildStatus: quota' } } },
    });
  });

  it("the final record update writes the role's group, and removes an earlier one if there is none", async () => {
    await put(JOB);
    await end(JOB, { status: 'COMPLETE', directory_group: { name: 'g', dn: 'CN=g', outcome: 'created' } });
    const group = { name: { S: 'g' }, dn: { S: 'CN=g' }, outcome: { S: 'created' } };
    assert.deepEqual((await item())?.['directory_group'], { M: group });
    await end(JOB, { status: 'FAILED', directory_group: null });
    assert.equal((await item())?.['directory_group'], undefined);
  });

  it('the final record update adds no attribute without a value', async () => {
    await put(JOB);
    const before = Object.keys((await item()) ?? {});
    await end(JOB, { status: 'CANCELLED' });
    assert.deepEqual(new Set(Object.keys((await item()) ?? {})), new Set(before));
  });

  it("the final record update replaces any end in this job's own record, and leaves nothing of it", async () => {
    await put(JOB);
    const { updated_at: _, ...before } = (await item()) ?? {};
    await end(JOB, { status: 'FAILED', build_id: 'b', error_info: { Error: 'ExecutionLost', Cause: 'gone' } });
    for (const status of ['COMPLETE', 'CANCELLED', 'FAILED'] as const) {
      assert.equal(await end(JOB, { status }), true);
      const { updated_at, ...rest } = (await item()) ?? {};
      assert.match(updated_at?.S ?? '', TIME);
      assert.deepEqual(rest, { ...before, status: { S: status } });
    }
  });

  for (const [name, other] of [
    ['an older', OLDER],
    ['a newer', NEWER],
  ] as const) {
    for (const [state, arrange] of [
      ['in progress', inProgress],
      ['ended', ended],
    ] as const) {
      it(`the final record update leaves ${name} job's record alone, ${state}`, async () => {
        await arrange(other);
        await assertRefused(() => end(JOB));
      });
    }
  }

  it('the final record update makes no record if there is none', async () => {
    await assertRefused(() => end(JOB));
    assert.equal(await item(), undefined);
  });
});

describe('reading', () => {
  it('reading returns the record unchanged', async () => {
    await put(JOB);
    await end(JOB, { status: 'FAILED', build_id: 'b', error_info: { Error: 'BuildFailed', Cause: 'quota' } });
    const key = { account_id: '123456789012', resource: input.ddb_composite_sort_key };
    const { updated_at, ...rest } = (await readStatusRecord(tables, key)) ?? {};
    assert.match(updated_at ?? '', TIME);
    assert.deepEqual(rest, {
      ...key,
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: 'data-reader',
      dry_run: false,
      ...JOB,
      status: 'FAILED',
      correlation_id: 'request-1',
      trace_header: 'Root=1-67891233-abcdef012345678912345678',
      build_id: 'b',
      error_info: { Error: 'BuildFailed', Cause: 'quota' },
    });
  });

  it('reading returns nothing if there is no record', async () => {
    assert.equal(await readStatusRecord(tables, { account_id: '1', resource: 'none' }), undefined);
  });
});

describe('the twins of a role', () => {
  const find = (resource: string, role: string, signal = AbortSignal.timeout(60_000)) =>
    findTwins(tables, { account_id: '111122223333', resource }, role, signal);

  it('the twins of a role are the records in progress whose names differ by case only, among more than a page of others', async () => {
    const place = (resource: string, role: string, more: Item = {}) =>
      raw.send(
        new PutItemCommand({
          TableName: 'status-records',
          Item: {
            account_id: { S: '111122223333' },
            resource: { S: resource },
            custom_role_name: { S: role },
            status: { S: 'IN_PROGRESS' },
            job_id: { S: `job of ${resource}` },
            ...more,
          },
        }),
      );
    // A page of a query is 1 MiB.
    for (let i = 0; i < 4; i += 1) await place(`iam_role#large-${i}`, 'large', { padding: { S: 'x'.repeat(390_000) } });
    await place('iam_role#Reader', 'Reader');
    await place('z#by-its-role', 'READER', { job_id: { N: '5' } });
    await place('IAM_ROLE#reader', 'another');
    await place('iam_role#reader', 'reader');
    await place('iam_role#reader-2', 'Reader-2');
    await place('iam_role#reAder', 'reAder', { status: { S: 'COMPLETE' } });
    const twins = await find('iam_role#reader', 'reader');
    assert.deepEqual(
      twins.map(({ resource, job_id }) => [resource, job_id]),
      [
        ['IAM_ROLE#reader', 'job of IAM_ROLE#reader'],
        ['iam_role#Reader', 'job of iam_role#Reader'],
        ['z#by-its-role', undefined],
      ],
    );
  });

  it('the twins of a role are looked for no longer than the caller allows', async () => {
    await assert.rejects(find('iam_role#reader', 'reader', AbortSignal.abort()), { name: 'AbortError' });
  });
});
