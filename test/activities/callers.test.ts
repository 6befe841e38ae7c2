/** The real activities with a real DynamoDB, called by every workflow and job that Temporal can name. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Info } from '@temporalio/activity';
import { forBuildsAlone } from '../../src/activities/callers.ts';
import { createActivities } from '../../src/activities/index.ts';
import { historyRequestOf, type Fault, type RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { workflowIdOf } from '../../src/domain/identity.ts';
import { api, clientOf, url, useSimulatedBuildApi } from '../build-api/client-fixture.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { itemOf, tables, useDynamoDb } from '../support/tables.ts';
import { quietLogger } from '../support/quiet-runtime.ts';

useDynamoDb();
useSimulatedBuildApi();

const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z');
const JOB = { job_id: 'run-1', start_at: '2026-03-01T11:59:59.000Z' };

let activities: ReturnType<typeof forBuildsAlone>;
let input: RoleBuildInput;
beforeEach(() => {
  input = { ...sampleInput(), url };
  const allowedOrigins = [new URL(url).origin];
  activities = forBuildsAlone(createActivities({ tables, buildApi: clientOf(), allowedOrigins }));
});

const build = (more: Partial<RoleBuildInput> = {}, runId = JOB.job_id): Partial<Info> => ({
  workflowType: 'roleBuild',
  workflowExecution: {
    workflowId: workflowIdOf(input.build_body.account_id, more.ddb_composite_sort_key ?? input.ddb_composite_sort_key),
    runId,
  },
  scheduledTimestampMs: NOW_MS,
});

function run(info: Partial<Info>, name: keyof typeof activities, ...args: unknown[]): Promise<unknown> {
  const activity = activities[name] as (...given: unknown[]) => Promise<unknown>;
  return new MockActivityEnvironment(info, { logger: quietLogger }).run(activity, ...args);
}

/** Every activity of one build, as its own workflow calls it. */
function calls(job = JOB): [keyof typeof activities, ...unknown[]][] {
  const request = historyRequestOf(input);
  const target = { url, encrypted_jwt: input.encrypted_jwt, correlation_id: input.correlation_id };
  const record = { ...request, job };
  const history = { request, job, may_create: true };
  const error_info = { Error: 'BuildFailed', Cause: 'made up' };
  return [
    ['upsertRequestRecord', input, job],
    ['insertRequestHistory', request, job],
    ['triggerBuild', target, input.build_body],
    ['getBuildStatus', target, 'build-of-another'],
    ['updateSuccessfulRecord', record],
    ['updateSuccessfulHistory', history],
    ['updateFailedRecord', record, error_info],
    ['updateFailedHistory', history, error_info],
    ['updateCancelledRecord', record],
    ['updateCancelledHistory', history],
    ['checkCarriedInput', input, job],
  ];
}

const isRefused = (err: unknown) =>
  err instanceof ApplicationFailure && err.type === 'InvalidInput' && err.nonRetryable === true;

async function recordsOf(): Promise<unknown[]> {
  const { build_body, ddb_composite_sort_key, correlation_id } = input;
  const key = { account_id: { S: build_body.account_id }, resource: { S: ddb_composite_sort_key } };
  return [
    await itemOf(tables.statusTable, key),
    await itemOf(tables.historyTable, { request_id: { S: correlation_id } }),
  ];
}

describe('the activities', () => {
  for (const [caller, info] of Object.entries({
    'a client, of no workflow at all': () =>
      ({ inWorkflow: false, workflowType: undefined, workflowExecution: undefined }) as never,
    'a workflow of another type': () => ({ ...build(), workflowType: 'roleBuilder' }),
    'a workflow under another ID': () => ({
      ...build(),
      workflowExecution: { workflowId: 'any', runId: JOB.job_id },
    }),
  } satisfies Record<string, () => Partial<Info>>)) {
    it(`the activities do nothing for ${caller}`, async () => {
      for (const [name, ...args] of calls()) await assert.rejects(run(info(), name, ...args), isRefused, name);
      assert.deepEqual(await recordsOf(), [undefined, undefined]);
      assert.equal(api.requests().length, 0);
    });
  }

  it('the activities write nothing for the workflow of another resource', async () => {
    const other = build({ ddb_composite_sort_key: 'iam_role#another' });
    const writes = calls().filter(([name]) => !['triggerBuild', 'getBuildStatus'].includes(name));
    for (const [name, ...args] of writes) await assert.rejects(run(other, name, ...args), isRefused, name);
    assert.deepEqual(await recordsOf(), [undefined, undefined]);
  });

  it('the activities write nothing for a job whose start is later than the write or malformed', async () => {
    for (const start_at of ['9999-12-31T23:59:59.999Z', '2026-03-01T12:05:00.000Z', '9 Jan 2020', 'soon', '']) {
      const writes = calls({ ...JOB, start_at }).filter(([name]) => !['triggerBuild', 'getBuildStatus'].includes(name));
      for (const [name, ...args] of writes) await assert.rejects(run(build(), name, ...args), isRefused, name);
    }
    assert.deepEqual(await recordsOf(), [undefined, undefined]);
  });

  it("the activities write the records of the caller's own build", async () => {
    assert.equal(await run(build(), 'upsertRequestRecord', input, JOB), null);
    assert.equal(await run(build(), 'insertRequestHistory', historyRequestOf(input), JOB), null);
    const [status, history] = (await recordsOf()) as Record<string, { S?: string }>[];
    assert.deepEqual([status?.['job_id']?.S, history?.['job_id']?.S], [JOB.job_id, JOB.job_id]);
  });

  it('the activities list the faults of an input, whatever the workflow ID', async () => {
    const garbage = run(build(), 'upsertRequestRecord', { build_body: null }, JOB);
    await assert.rejects(garbage, (err) => isRefused(err) && /build_body: /.test((err as Error).message));
  });
});

describe('the check of a carried input', () => {
  const other = { ddb_composite_sort_key: 'iam_role#carried', correlation_id: 'request-carried' };
  const check = async (more: Partial<RoleBuildInput>, job = JOB, resumption?: unknown): Promise<Fault[]> =>
    run(build(other, job.job_id), 'checkCarriedInput', { ...input, ...other, ...more }, job, resumption) as Promise<
      Fault[]
    >;
  const delisted = { url: 'https://not-listed.example.com' };

  it('the check of a carried input accepts a valid one, and lists the faults of any other if the job has no record', async () => {
    assert.deepEqual(await check({}), []);
    const pathsOf = async (...args: Parameters<typeof check>) => (await check(...args)).map(({ path }) => path).sort();
    assert.deepEqual(await pathsOf(delisted), ['url']);
    assert.deepEqual(await pathsOf({ poll_interval_seconds: -1, trace_header: '' }), [
      'poll_interval_seconds',
      'trace_header',
    ]);
    const resumption = { resumes: 'job', previous_jobs: [{ job_id: 'job', start_at: 'then' }] };
    assert.deepEqual(await pathsOf({}, JOB, resumption), ['(resumption).previous_jobs.0.status']);
  });

  it("the check of a carried input accepts one that passed earlier rules, as its job's record proves", async () => {
    await run(build(other), 'upsertRequestRecord', { ...input, ...other }, JOB);
    assert.deepEqual(await check(delisted), []);
    assert.equal((await check(delisted, { ...JOB, job_id: 'run-2' })).length, 1);
  });
});
