/** Which records another job may take, apart from newer and older ones: those of Step Functions and of a job to resume. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Job } from '../../src/domain/identity.ts';
import type { Resumption } from '../../src/domain/resumption.ts';
import { historyRequestOf, type HistoryRequest, type RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { endHistoryRecord, putHistoryRecord } from '../../src/records/history-table.ts';
import { endStatusRecord, putStatusRecord } from '../../src/records/status-table.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { isWritten, itemOf, JOB, NEWER, OLDER, tables, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

const EXECUTION: Job = { ...OLDER, job_id: 'arn:aws:states:eu-west-1:123456789012:execution:orchestrator:e-1' };

/** Each test has its own. */
let input: RoleBuildInput;
let count = 0;
beforeEach(() => {
  count += 1;
  input = { ...sampleInput(), ddb_composite_sort_key: `iam_role#${count}`, correlation_id: `request-${count}` };
});

const endHistory = (
  request: HistoryRequest,
  job: Job,
  end: Parameters<typeof endHistoryRecord>[3],
  mayCreate: boolean,
) => isWritten(endHistoryRecord(tables, request, job, end, mayCreate));

type More = Partial<RoleBuildInput>;
const TABLES = {
  status: {
    put: (job: Job, resumption?: Resumption, more: More = {}) =>
      isWritten(putStatusRecord(tables, { ...input, ...more }, job, resumption)),
    end: (job: Job) =>
      isWritten(
        endStatusRecord(tables, { account_id: '123456789012', resource: input.ddb_composite_sort_key }, job, FAILED),
      ),
    item: () =>
      itemOf('status-records', {
        account_id: { S: '123456789012' },
        resource: { S: input.ddb_composite_sort_key },
      }),
  },
  history: {
    put: (job: Job, resumption?: Resumption, more: More = {}) =>
      isWritten(putHistoryRecord(tables, historyRequestOf({ ...input, ...more }, resumption), job)),
    end: (job: Job) => endHistory(historyRequestOf(input), job, FAILED, false),
    item: () => itemOf('history-records', { request_id: { S: input.correlation_id } }),
  },
} as const;
const FAILED = { status: 'FAILED', error_info: { Error: 'BuildDeadlineExceeded', Cause: 'too long' } } as const;

async function assertRefused(item: () => Promise<Item | undefined>, write: () => Promise<boolean>): Promise<void> {
  const before = await item();
  assert.equal(await write(), false);
  assert.deepEqual(await item(), before);
}

for (const [table, { put, end, item }] of Object.entries(TABLES)) {
  describe(`a ${table} record of Step Functions`, () => {
    for (const partition of ['aws', 'aws-us-gov', 'aws-cn', 'aws-iso-b']) {
      it(`a ${table} record of Step Functions that is IN_PROGRESS is left alone, in the partition ${partition}`, async () => {
        await put({ ...EXECUTION, job_id: EXECUTION.job_id.replace('arn:aws:', `arn:${partition}:`) });
        await assertRefused(item, () => put(JOB));
      });
    }

    it(`a ${table} record of Step Functions that is IN_PROGRESS is replaced by a build that takes over`, async () => {
      await put(EXECUTION);
      assert.equal(await put(JOB, undefined, { take_over: true }), true);
      assert.equal((await item())?.['job_id']?.S, JOB.job_id);
    });

    it(`a ${table} record of Step Functions that has ended is replaced as any other`, async () => {
      await put(EXECUTION);
      await end(EXECUTION);
      assert.equal(await put(JOB), true);
    });

    it(`a ${table} record of Step Functions that is newer is not replaced, not even by a build that takes over`, async () => {
      await put({ ...NEWER, job_id: EXECUTION.job_id });
      await assertRefused(item, () => put(JOB, undefined, { take_over: true }));
    });
  });

  describe(`a ${table} record to resume`, () => {
    const resumption: Resumption = { resumes: OLDER.job_id, build_id: 'b', previous_jobs: [{ ...OLDER, ...FAILED }] };

    it(`a ${table} record to resume becomes the new job's, with the build to poll on with`, async () => {
      await put(OLDER);
      await end(OLDER);
      assert.equal(await put(JOB, resumption), true);
      const found = await item();
      assert.equal(found?.['job_id']?.S, JOB.job_id);
      assert.equal(found['status']?.S, 'IN_PROGRESS');
      assert.equal(found['build_id']?.S, 'b');
      assert.equal(found['error_info'], undefined);
      assert.equal(found['previous_jobs']?.L?.length, table === 'history' ? 1 : undefined);
    });

    it(`a ${table} record to resume is put if it is missing, and again by the same job`, async () => {
      assert.equal(await put(JOB, resumption), true);
      assert.equal(await put(JOB, resumption), true);
    });

    it(`a ${table} record to resume of yet another job is left alone, though it is older`, async () => {
      await put({ ...OLDER, job_id: 'in-between' });
      await assertRefused(item, () => put(JOB, resumption));
    });

    it(`a ${table} record to resume of the job itself, ended, is left alone`, async () => {
      await put(JOB, resumption);
      await end(JOB);
      await assertRefused(item, () => put(JOB, resumption));
    });
  });
}

describe('the final record update of a history record', () => {
  it('the final record update of a history record leaves an IN_PROGRESS one of Step Functions alone, unless the build takes over', async () => {
    const { put, item } = TABLES.history;
    await put(EXECUTION);
    const request = historyRequestOf(input);
    await assertRefused(item, () => endHistory(request, JOB, FAILED, true));
    const takingOver = historyRequestOf({ ...input, take_over: true });
    assert.equal(await endHistory(takingOver, JOB, FAILED, true), true);
  });

  it('the final record update of a history record writes the previous jobs, and removes them if there are none', async () => {
    const { item } = TABLES.history;
    const resumption: Resumption = { resumes: OLDER.job_id, previous_jobs: [{ ...OLDER, ...FAILED }] };
    assert.equal(await endHistory(historyRequestOf(input, resumption), JOB, FAILED, true), true);
    assert.deepEqual((await item())?.['previous_jobs']?.L?.[0]?.M?.['job_id'], { S: OLDER.job_id });
    assert.equal(await endHistory(historyRequestOf(input), NEWER, FAILED, true), true);
    assert.equal((await item())?.['previous_jobs'], undefined);
  });

  it('the final record update of a history record says who cancelled', async () => {
    const end = { status: 'CANCELLED', cancelled_by: 'somebody@host' } as const;
    assert.equal(await endHistory(historyRequestOf(input), JOB, end, true), true);
    assert.deepEqual((await TABLES.history.item())?.['cancelled_by'], { S: 'somebody@host' });
  });
});
