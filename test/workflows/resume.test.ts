import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { PreviousJob, Resumption } from '../../src/domain/resumption.ts';
import { BUILD_ID, times } from '../support/scripted-activities.ts';
import { SKIPPING, WorkflowEnvironment } from '../support/workflow-environment.ts';

const PREVIOUS: PreviousJob = {
  job_id: 'the-job-before',
  start_at: '2026-01-01T00:00:00.000Z',
  status: 'FAILED',
  error_info: { Error: 'BuildDeadlineExceeded', Cause: 'too long' },
};
const TO_POLL: Resumption = { resumes: 'the-job-before', build_id: 'build-before', previous_jobs: [PREVIOUS] };
const TO_TRIGGER: Resumption = { resumes: 'the-job-before', previous_jobs: [PREVIOUS] };
const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.devServer({ ...SKIPPING, 'limit.historyCount.suggestContinueAsNew': 20 });
});
after(() => environment.stop());

describe('a resumed build', { concurrency: true }, () => {
  it('a resumed build takes the records over, then polls on without a POST', async (t) => {
    const build = await environment.start(t, {}, { resumption: TO_POLL, skipWaits: true });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.build_id === 'build-before');
    assert.deepEqual(build.steps, [
      'upsertRequestRecord',
      'insertRequestHistory',
      'getBuildStatus',
      'updateSuccessfulRecord',
      'updateSuccessfulHistory',
    ]);
    assert.deepEqual(build.argsOf('upsertRequestRecord')[2], TO_POLL);
    assert.deepEqual(build.argsOf('insertRequestHistory')[0].resumption, TO_POLL);
    assert.equal(build.argsOf('getBuildStatus')[1], 'build-before');
    assert.equal(build.argsOf('updateSuccessfulRecord')[0].build_id, 'build-before');
    assert.deepEqual(build.argsOf('updateSuccessfulHistory')[0].request.resumption, TO_POLL);
  });

  it('a resumed build makes the POST again if no build_id was recorded', async (t) => {
    const build = await environment.start(t, {}, { resumption: TO_TRIGGER, skipWaits: true });
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && end.outcome.build_id === BUILD_ID);
    const { correlation_id, may_be_sent } = build.argsOf('triggerBuild')[0];
    assert.deepEqual([correlation_id, may_be_sent], [build.input.correlation_id, true]);
  });

  it("a resumed build keeps the earlier job's data through continue-as-new", async (t) => {
    const script = { getBuildStatus: times(8, UNDECIDED) };
    const options = { resumption: TO_POLL, input: { poll_interval_seconds: 0.2 } };
    const build = await environment.start(t, script, options);
    const end = await build.end();
    assert.ok((await build.runs()).length >= 2);
    assert.ok(end.status === 'COMPLETED' && end.outcome.polls === 9);
    assert.equal(build.attemptsAt('triggerBuild').length, 0);
    assert.equal(build.attemptsAt('upsertRequestRecord').length, 1);
    assert.deepEqual(build.argsOf('updateSuccessfulHistory')[0].request.resumption, TO_POLL);
    assert.deepEqual(build.argsOf('updateSuccessfulHistory')[0].job, build.job);
  });

  it('a resumed build counts its deadline from its own start', async (t) => {
    const script = { getBuildStatus: times(100, UNDECIDED) };
    const options = { resumption: TO_POLL, input: { poll_interval_seconds: 0.2, deadline_seconds: 2 } };
    const build = await environment.start(t, script, options);
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded');
    assert.match(end.message, new RegExp(build.job.start_at));
    assert.ok(build.job.start_at > PREVIOUS.start_at);
  });

  it('a resumed build ends with nothing written if the job to resume has lost its record', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('taken since', 'NothingToResume');
    const build = await environment.start(t, { upsertRequestRecord: [refusal] }, { resumption: TO_POLL });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'NothingToResume');
    assert.deepEqual(build.steps, ['upsertRequestRecord']);
  });

  it('a second argument that is null counts as missing', async (t) => {
    const build = await environment.start(t, {}, { resumption: null, skipWaits: true });
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.equal(build.attemptsAt('triggerBuild').length, 1);
  });
});
