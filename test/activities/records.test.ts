/** What the activities report about a record in the way, whatever is in it, with a real DynamoDB. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { createRecordActivities } from '../../src/activities/records.ts';
import type { RoleBuildActivities } from '../../src/activities/types.ts';
import { historyRequestOf, type RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { itemOf, JOB, NEWER, OLDER, raw, tables, useDynamoDb, type Item } from '../support/tables.ts';

useDynamoDb();

const ARN = 'arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:orchestrator:e-1';

/** Each test has its own. */
let input: RoleBuildInput;
let activities: Omit<RoleBuildActivities, 'triggerBuild' | 'getBuildStatus'>;
let attempt = 1;
let count = 0;
beforeEach(() => {
  attempt = 1;
  count += 1;
  input = { ...sampleInput(), ddb_composite_sort_key: `iam_role#odd-${count}`, correlation_id: `odd-${count}` };
  const origins = [new URL(input.url).origin];
  activities = createRecordActivities(
    tables,
    origins,
    async () => undefined,
    () => attempt,
  );
});

const build = () => ({ account_id: { S: '123456789012' }, resource: { S: input.ddb_composite_sort_key } });
const TABLES = {
  status: {
    key: build,
    put: () => activities.upsertRequestRecord(input, JOB),
    end: () =>
      activities.updateSuccessfulRecord({
        account_id: '123456789012',
        resource: input.ddb_composite_sort_key,
        job: JOB,
      }),
  },
  history: {
    key: () => ({ request_id: { S: input.correlation_id } }),
    put: () => activities.insertRequestHistory(historyRequestOf(input), JOB),
    end: () => activities.updateSuccessfulHistory({ request: historyRequestOf(input), job: JOB, may_create: true }),
  },
} as const;

for (const [table, { key, put, end }] of Object.entries(TABLES)) {
  const TableName = `${table}-records`;
  const place = (item: Item) => raw.send(new PutItemCommand({ TableName, Item: { ...key(), ...build(), ...item } }));
  const item = () => itemOf(TableName, key());
  const failureOf = async (write: () => Promise<unknown>) => {
    const err: unknown = await write().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(err instanceof ApplicationFailure, String(err));
    return err;
  };

  describe(`a ${table} record in the way`, () => {
    it(`a ${table} record in the way that is a newer job's is reported with its holder, named or not`, async () => {
      await place({ job_id: { S: 'newer' }, start_at: { S: NEWER.start_at }, status: { S: 'IN_PROGRESS' } });
      assert.deepEqual(await put(), { job_id: 'newer', start_at: NEWER.start_at });
      assert.deepEqual(await end(), { job_id: 'newer', start_at: NEWER.start_at });
      await place({ job_id: { N: '12345678901234567890' }, start_at: { S: NEWER.start_at } });
      assert.deepEqual(await put(), { job_id: '(not named)', start_at: NEWER.start_at });
    });

    for (const [what, start_at, why] of [
      ['is missing', undefined, /start_at is missing/],
      ['is a number', { N: '20260101' }, /start_at is not a time in ISO 8601, UTC: 20260101/],
      [
        'is beyond JavaScript',
        { N: '12345678901234567890123456789' },
        /start_at is not .*12345678901234567890123456789/,
      ],
      ['is NULL', { NULL: true }, /start_at is not .*null/],
      ['is no time', { S: 'yesterday' }, /start_at is not .*"yesterday"/],
    ] as const) {
      // The history's index takes no other type than text.
      if (table === 'history' && start_at !== undefined && !('S' in start_at)) continue;
      it(`a ${table} record in the way whose start_at ${what} is not called newer, and either advice helps`, async () => {
        const odd = {
          job_id: { S: 'odd' },
          status: { S: 'COMPLETE' },
          ...(start_at === undefined ? {} : { start_at }),
        };
        await place(odd);
        const before = await item();
        const failure = await failureOf(put);
        assert.equal(failure.type, 'RecordWriteFailed');
        assert.equal(failure.nonRetryable, true);
        assert.match(failure.message, why);
        assert.doesNotMatch(failure.message, /newer|undefined/);
        assert.match(failure.message, /role-build doctor --fix .*set it by hand .*or delete the item/);
        // No final record update replaces it or waits for it.
        assert.deepEqual(await end(), { absent: true });
        assert.deepEqual(await item(), before);

        await place({ ...odd, start_at: { S: OLDER.start_at } });
        assert.equal(await put(), null);
        await place(odd);
        await raw.send(new DeleteItemCommand({ TableName, Key: key() }));
        assert.equal(await put(), null);
      });
    }

    it(`a ${table} record in the way of Step Functions without a start_at is reported without --take-over, which would not help`, async () => {
      await place({ job_id: { S: ARN }, status: { S: 'IN_PROGRESS' } });
      input.take_over = true;
      const failure = await failureOf(put);
      assert.equal(failure.type, 'RecordWriteFailed');
      assert.match(failure.message, /start_at is missing: set it by hand/);
      assert.doesNotMatch(failure.message, /take-over|doctor/);
    });

    it(`a ${table} record in the way is replaced if it is older, whatever else is in it`, async () => {
      await place({
        job_id: { SS: ['a', 'b'] },
        start_at: { S: OLDER.start_at },
        status: { NULL: true },
        error_info: { S: 'quota' },
        updated_at: { N: '12345678901234567890' },
      });
      assert.equal(await put(), null);
      assert.equal((await item())?.['job_id']?.S, JOB.job_id);
    });
  });
}

describe('a history record', () => {
  it('a history record without account and resource is not replaced, and not called that of "undefined"', async () => {
    const Item = { request_id: { S: input.correlation_id }, job_id: { S: 'odd' }, start_at: { S: OLDER.start_at } };
    await raw.send(new PutItemCommand({ TableName: 'history-records', Item }));
    await assert.rejects(activities.insertRequestHistory(historyRequestOf(input), JOB), (err: ApplicationFailure) => {
      assert.equal(err.type, 'RecordWriteFailed');
      assert.equal(err.nonRetryable, true);
      assert.match(err.message, /does not say whose it is \(.*account_id is missing; resource is missing/);
      assert.match(err.message, /repair or delete that item, or give the request another ID/);
      return true;
    });
    assert.deepEqual(await itemOf('history-records', { request_id: { S: input.correlation_id } }), Item);
  });

  it('a history record of this job that has ended ends it as JobAlreadyEnded, unless the status record says that it goes on', async () => {
    const put = () => activities.insertRequestHistory(historyRequestOf(input), JOB);
    const [job_id, start_at] = [{ S: JOB.job_id }, { S: JOB.start_at }];
    const ended = { ...build(), job_id, start_at, status: { S: 'COMPLETE' } };
    const Item = { request_id: { S: input.correlation_id }, ...ended };
    await raw.send(new PutItemCommand({ TableName: 'history-records', Item }));
    const refused = { type: 'JobAlreadyEnded', nonRetryable: true, message: /history record .* ended COMPLETE/ };
    await assert.rejects(put(), refused);
    for (const status of [ended, { ...ended, job_id: { S: 'another' }, status: { S: 'IN_PROGRESS' } }]) {
      await raw.send(new PutItemCommand({ TableName: 'status-records', Item: status }));
      await assert.rejects(put(), refused);
    }
    const inProgress = { ...ended, status: { S: 'IN_PROGRESS' } };
    await raw.send(new PutItemCommand({ TableName: 'status-records', Item: inProgress }));
    assert.equal(await put(), null);
    assert.deepEqual(await itemOf('history-records', { request_id: { S: input.correlation_id } }), Item);
  });
});

describe("an older job's group", () => {
  const group = { M: { name: { S: 'g' }, dn: { S: 'CN=g' }, outcome: { S: 'created' } } };
  const key = () => ({ request_id: { S: input.correlation_id } });

  it("an older job's group does not stay in the history of a job whose put failed", async () => {
    const older = { job_id: { S: OLDER.job_id }, start_at: { S: OLDER.start_at }, status: { S: 'COMPLETE' } };
    const Item = { ...key(), ...build(), ...older, directory_group: group };
    await raw.send(new PutItemCommand({ TableName: 'history-records', Item }));
    const end = { request: historyRequestOf(input), job: JOB, directory_group: null, may_create: true };
    await activities.updateFailedHistory(end, { Error: 'RecordWriteFailed', Cause: 'throttled' });
    const item = await itemOf('history-records', key());
    assert.deepEqual(item?.['job_id'], { S: JOB.job_id });
    assert.equal(item?.['directory_group'], undefined);
  });
});

describe('a start that says what it resumes', () => {
  const ended = {
    job_id: { S: OLDER.job_id },
    start_at: { S: OLDER.start_at },
    status: { S: 'FAILED' },
    build_id: { S: 'b-1' },
  };
  const resumption = { resumes: OLDER.job_id, build_id: 'b-1', previous_jobs: [] };
  const place = () => raw.send(new PutItemCommand({ TableName: 'status-records', Item: { ...build(), ...ended } }));
  const resume = (more: object) => activities.upsertRequestRecord(input, JOB, { ...resumption, ...more });
  const item = () => itemOf('status-records', build());

  it("a start that says what it resumes continues with the record's build_id, at each attempt", async () => {
    await place();
    for (attempt = 1; attempt <= 2; attempt += 1) {
      assert.equal(await resume({}), null);
      assert.deepEqual((await item())?.['build_id'], { S: 'b-1' });
    }
  });

  it("a start that says what it resumes can't go on with another build than the record's, nor without a record", async () => {
    await place();
    await assert.rejects(resume({ build_id: 'of-another' }), { type: 'NothingToResume', nonRetryable: true });
    assert.deepEqual((await item())?.['status'], { S: 'FAILED' });
    await raw.send(new DeleteItemCommand({ TableName: 'status-records', Key: build() }));
    await assert.rejects(resume({}), { type: 'NothingToResume', nonRetryable: true });
    assert.equal(await item(), undefined);
  });

  it('a start that says what it resumes is refused unless that job has failed and can be resumed', async () => {
    const failedAs = (Error: string) => ({ error_info: { M: { Error: { S: Error }, Cause: { S: 'x' } } } });
    for (const [more, why] of [
      [{ status: { S: 'IN_PROGRESS' } }, /its record says IN_PROGRESS, not FAILED/],
      [{ status: { S: 'COMPLETE' } }, /its record says COMPLETE, not FAILED/],
      [failedAs('BuildFailed'), /a build that ended with BuildFailed is not resumed/],
      [failedAs('RecordWriteFailed'), /a build that ended with RecordWriteFailed is not resumed/],
      [{ job_id: { S: ARN }, status: { S: 'IN_PROGRESS' } }, /not FAILED/],
    ] as const) {
      const TableName = 'status-records';
      await raw.send(new PutItemCommand({ TableName, Item: { ...build(), ...ended, ...more } }));
      const placed = await item();
      const resumes = placed?.['job_id']?.S;
      await assert.rejects(resume({ resumes }), { type: 'NothingToResume', nonRetryable: true, message: why });
      assert.deepEqual(await item(), placed);
    }
  });

  it("a start that says what it resumes is refused if its input is another build's than the record's", async () => {
    const { custom_role_name, action } = input.build_body;
    const recorded = { custom_role_name, action, correlation_id: input.correlation_id };
    for (const name of ['custom_role_name', 'action', 'correlation_id', 'dry_run']) {
      const texts = Object.entries({ ...recorded, [name]: 'another' }).map(([key, value]) => [key, { S: value }]);
      const odd = name === 'dry_run' ? { dry_run: { BOOL: !input.build_body.dry_run } } : {};
      const Item = { ...build(), ...ended, ...(Object.fromEntries(texts) as Item), ...odd };
      await raw.send(new PutItemCommand({ TableName: 'status-records', Item }));
      const message = new RegExp(`has another ${name} in its record`);
      await assert.rejects(resume({}), { type: 'NothingToResume', nonRetryable: true, message });
    }
  });

  it('a start that says what it resumes continues only with the domain controller in its record', async () => {
    const sent_to = { name: 'dc1.corp.example.com', address: '10.0.0.1' };
    const server = (value: typeof sent_to) => ({ M: { name: { S: value.name }, address: { S: value.address } } });
    const why = { Error: 'DirectoryGroupUnknown', Cause: 'cut' };
    const texts = { Error: { S: why.Error }, Cause: { S: why.Cause } };
    const job = { ...OLDER, status: 'FAILED' };
    const placed = (value: typeof sent_to | undefined) => {
      const error_info = { M: { ...texts, ...(value && { sent_to: server(value) }) } };
      return raw.send(new PutItemCommand({ TableName: 'status-records', Item: { ...build(), ...ended, error_info } }));
    };
    const resumed = (value: unknown) =>
      resume({ previous_jobs: [{ ...job, error_info: value === undefined ? why : { ...why, sent_to: value } }] });

    const another = { ...sent_to, address: '10.0.0.2' };
    await placed(sent_to);
    for (const value of [undefined, another]) await assert.rejects(resumed(value), { type: 'NothingToResume' });
    await placed(undefined);
    await assert.rejects(resumed(sent_to), { type: 'NothingToResume', message: /another sent_to in its record/ });
    for (const value of [{ ...sent_to, address: 'dc2.example.com' }, { ...sent_to, deep: {} }, 'dc1', null]) {
      await assert.rejects(resumed(value), { type: 'InvalidInput', message: /sent_to/ });
    }
    await placed(sent_to);
    assert.equal(await resumed(sent_to), null);
  });

  it('a start that says what it resumes is refused if the previous jobs are too many or too deep for an item', async () => {
    const job = { ...OLDER, status: 'FAILED' };
    let deep: unknown = 1;
    for (let i = 0; i < 40; i += 1) deep = { deep };
    for (const previous_jobs of [
      Array.from({ length: 500 }, () => ({ ...job, job_id: 'x'.repeat(1_000) })),
      [{ ...job, deep }],
      [{ ...job, error_info: { Error: 'BuildFailed', Cause: deep } }],
    ]) {
      await place();
      await assert.rejects(resume({ previous_jobs }), {
        type: 'InvalidInput',
        message: /\(resumption\)\.previous_jobs/,
      });
      assert.deepEqual((await item())?.['job_id'], ended.job_id);
    }
  });
});

describe('a final record update', () => {
  it('a final record update writes no attribute that its caller adds', async () => {
    const more = { status: 'WEIRD', custom_role_name: 'Admin', foo: 'bar' };
    await activities.upsertRequestRecord(input, JOB);
    const key = { account_id: '123456789012', resource: input.ddb_composite_sort_key };
    assert.equal(await activities.updateSuccessfulRecord({ ...key, job: JOB, ...more }), null);
    const request = historyRequestOf(input);
    assert.equal(await activities.updateSuccessfulHistory({ request, job: JOB, may_create: true, ...more }), null);
    for (const item of [
      await itemOf('status-records', build()),
      await itemOf('history-records', { request_id: { S: input.correlation_id } }),
    ]) {
      assert.deepEqual(item?.['status'], { S: 'COMPLETE' });
      assert.equal(item['foo'], undefined);
      assert.notDeepEqual(item['custom_role_name'], { S: 'Admin' });
    }
  });
});

describe('a refusal', () => {
  const place = (item: Item) =>
    raw.send(new PutItemCommand({ TableName: 'status-records', Item: { ...build(), ...item } }));
  const held = { job_id: { S: ARN }, start_at: { S: OLDER.start_at }, status: { S: 'IN_PROGRESS' } };
  const resumption = { resumes: 'another', previous_jobs: [] };

  for (const [type, refuse] of [
    ['InvalidInput', () => activities.upsertRequestRecord({ ...input, url: 'https://elsewhere.example.com' }, JOB)],
    ['HeldByStepFunctions', () => place(held).then(() => activities.upsertRequestRecord(input, JOB))],
    ['NothingToResume', () => place(held).then(() => activities.upsertRequestRecord(input, JOB, resumption))],
  ] as const) {
    it(`a refusal ${type} says at a later attempt that the record may have been put`, async () => {
      await assert.rejects(refuse(), { type, nonRetryable: true });
      attempt = 2;
      await assert.rejects(refuse(), (err: ApplicationFailure) => {
        assert.equal(err.type, 'RecordWriteFailed');
        assert.equal(err.nonRetryable, true);
        assert.match(err.message, /; an earlier attempt may have put the record$/);
        assert.ok(err.cause instanceof ApplicationFailure);
        assert.equal(err.cause.type, type);
        return true;
      });
    });
  }
});
