import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BuildStatusAnswer } from '../../src/domain/build-status.ts';
import { BUILD_ID } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const UNDECIDED = { can_retry: true, build_status: 'IN_PROGRESS' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

describe('a build that succeeds', () => {
  it("a build that succeeds goes through the state machine's states in order and ends COMPLETE", async (t) => {
    const build = await environment.start(t, { getBuildStatus: [UNDECIDED, UNDECIDED] });
    const end = await build.end();
    assert.deepEqual(build.steps, [
      'upsertRequestRecord',
      'insertRequestHistory',
      'triggerBuild',
      'getBuildStatus',
      'getBuildStatus',
      'getBuildStatus',
      'updateSuccessfulRecord',
      'updateSuccessfulHistory',
    ]);
    assert.deepEqual(end, {
      status: 'COMPLETED',
      outcome: {
        status: 'COMPLETE',
        account_id: build.input.build_body.account_id,
        resource: build.input.ddb_composite_sort_key,
        correlation_id: build.input.correlation_id,
        job_id: build.jobId,
        start_at: build.job.start_at,
        build_id: BUILD_ID,
        polls: 3,
        contested: false,
      },
    });
  });

  it('a build that succeeds gives each step what it needs of the input', async (t) => {
    const example = { account_id: '210987654321', build_type: 'iam_role', action: 'update' };
    const build_body = { ...example, custom_role_name: 'x', dry_run: true, of_the_callers_own: { deep: [1, null] } };
    const build = await environment.start(t, {}, { input: { build_body, requested_by: 'someone' } });
    await build.end();
    const { input } = build;
    const { startTime } = await build.handle.describe();
    const job = { job_id: build.jobId, start_at: startTime.toISOString() };
    const key = { account_id: '210987654321', resource: input.ddb_composite_sort_key };
    const request = {
      ...key,
      correlation_id: input.correlation_id,
      action: 'update',
      trace_header: input.trace_header,
      requested_by: 'someone',
    };
    const { url, encrypted_jwt, correlation_id } = input;
    const target = { url, encrypted_jwt, correlation_id, job_id: build.jobId };
    assert.deepEqual(build.argsOf('upsertRequestRecord'), [input, job]);
    assert.deepEqual(build.argsOf('insertRequestHistory'), [request, job]);
    assert.deepEqual(build.argsOf('triggerBuild'), [target, build_body]);
    assert.deepEqual(build.argsOf('getBuildStatus'), [target, BUILD_ID]);
    assert.deepEqual(build.argsOf('updateSuccessfulRecord'), [{ ...key, correlation_id, job, build_id: BUILD_ID }]);
    assert.deepEqual(build.argsOf('updateSuccessfulHistory'), [{ request, job, build_id: BUILD_ID, may_create: true }]);
  });

  it('a build that succeeds ends the same if it is replayed from its history at every task', async (t) => {
    const taskQueue = 'without-a-cache';
    await environment.startWorker({ taskQueue, maxCachedWorkflows: 0 });
    const build = await environment.start(t, { getBuildStatus: [UNDECIDED, UNDECIDED] }, { taskQueue });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 3);
    assert.equal(build.attemptsAt('triggerBuild').length, 1);
    assert.equal(build.attemptsAt('getBuildStatus').length, 3);
  });
});

describe('an answer to a poll', () => {
  it('an answer to a poll with can_retry leads to another poll, even if it says SUCCEEDED', async (t) => {
    const build = await environment.start(t, { getBuildStatus: [{ can_retry: true, build_status: 'SUCCEEDED' }] });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 2);
  });

  const verdicts: BuildStatusAnswer[] = [
    { can_retry: false, build_status: 'FAILED', answer: '{"build_status":"FAILED","why":"no quota"}' },
    { can_retry: false, build_status: 'succeeded', answer: '{"build_status":"succeeded"}' },
    { can_retry: false, build_status: null, answer: '{"can_retry":"true"}' },
  ];
  for (const verdict of verdicts) {
    it(`an answer to a poll of ${JSON.stringify(verdict.build_status)} without can_retry fails the build`, async (t) => {
      const build = await environment.start(t, { getBuildStatus: [UNDECIDED, verdict] });
      const end = await build.end();
      const cause = `GetBuildStatus: build ${BUILD_ID} ended with ${verdict.build_status ?? 'no build_status'}. Last answer: ${verdict.answer}`;
      const error_info = { Error: 'BuildFailed', Cause: cause };
      const outcome = {
        status: 'FAILED',
        account_id: build.input.build_body.account_id,
        resource: build.input.ddb_composite_sort_key,
        correlation_id: build.input.correlation_id,
        ...build.job,
        build_id: BUILD_ID,
        polls: 2,
        error_info,
        contested: false,
      };
      assert.deepEqual(end, { status: 'FAILED', type: 'BuildFailed', message: cause, details: [outcome] });
      assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      assert.deepEqual(build.argsOf('updateFailedRecord')[1], error_info);
      const [history, writtenError] = build.argsOf('updateFailedHistory');
      assert.deepEqual(writtenError, error_info);
      assert.equal(history.build_id, BUILD_ID);
      assert.equal(history.may_create, true);
    });
  }
});
