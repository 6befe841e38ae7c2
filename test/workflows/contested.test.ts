import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { CONTESTED_MEMO, type RoleBuildOutcome } from '../../src/contract.ts';
import type { RunningBuild, WorkflowEnd } from '../support/running-build.ts';
import { always, type Script } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const HOLDER = { job_id: 'the-newer-job', start_at: '2026-01-01T00:00:00.000Z' };
const LEFT_ALONE =
  'the record belongs to the newer job the-newer-job, started 2026-01-01T00:00:00.000Z; it was left alone';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

async function memoOf(build: RunningBuild): Promise<Record<string, unknown>> {
  return (await build.handle.describe()).memo ?? {};
}

function outcomeOf(end: WorkflowEnd): RoleBuildOutcome {
  assert.ok(end.status === 'FAILED');
  return end.details[0] as RoleBuildOutcome;
}

describe("a newer job's record", () => {
  it("a newer job's record found by the first put keeps the POST from being sent, and is left alone", async (t) => {
    const build = await environment.start(t, { upsertRequestRecord: [HOLDER] });
    const end = await build.end();
    const Cause = `UpsertRequestRecord: ${LEFT_ALONE}`;
    assert.deepEqual(build.steps, ['upsertRequestRecord', 'updateFailedHistory']);
    assert.deepEqual(build.argsOf('updateFailedHistory')[1], { Error: 'RecordWriteFailed', Cause });
    assert.equal(build.argsOf('updateFailedHistory')[0].may_create, true);
    assert.ok(end.status === 'FAILED' && end.type === 'RecordWriteFailed' && end.message === Cause);
    assert.equal(outcomeOf(end).contested, true);
    assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: true });
  });

  it("a newer job's record found by the put of the history keeps the POST from being sent, and fails both records", async (t) => {
    const build = await environment.start(t, { insertRequestHistory: [HOLDER] });
    const end = await build.end();
    const error_info = { Error: 'RecordWriteFailed', Cause: `InsertRequestHistory: ${LEFT_ALONE}` };
    assert.deepEqual(build.steps, [
      'upsertRequestRecord',
      'insertRequestHistory',
      'updateFailedRecord',
      'updateFailedHistory',
    ]);
    assert.deepEqual(build.argsOf('updateFailedRecord')[1], error_info);
    assert.deepEqual(outcomeOf(end).error_info, error_info);
    assert.equal(outcomeOf(end).contested, true);
    assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: true });
  });

  for (const write of ['updateSuccessfulRecord', 'updateSuccessfulHistory'] as const) {
    it(`a newer job's record found by ${write} does not change how the build ended`, async (t) => {
      const build = await environment.start(t, { [write]: [HOLDER] });
      const end = await build.end();
      assert.ok(end.status === 'COMPLETED' && end.outcome.status === 'COMPLETE');
      assert.equal(end.outcome.contested, true);
      assert.deepEqual(build.steps.slice(-2), ['updateSuccessfulRecord', 'updateSuccessfulHistory']);
      assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: true });
    });
  }

  for (const write of ['updateFailedRecord', 'updateFailedHistory'] as const) {
    it(`a newer job's record found by ${write} does not change why the build failed`, async (t) => {
      const verdict = { can_retry: false, build_status: 'FAILED', answer: '{}' };
      const build = await environment.start(t, { getBuildStatus: [verdict], [write]: [HOLDER] });
      const end = await build.end();
      assert.ok(end.status === 'FAILED' && end.type === 'BuildFailed');
      assert.equal(outcomeOf(end).contested, true);
      assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: true });
    });
  }

  for (const write of ['updateCancelledRecord', 'updateCancelledHistory'] as const) {
    it(`a newer job's record found by ${write} does not keep the build from ending cancelled`, async (t) => {
      const script: Script = { getBuildStatus: always({ can_retry: true, build_status: 'QUEUED' }), [write]: [HOLDER] };
      const build = await environment.start(t, script);
      await build.untilEvent('timerStartedEventAttributes');
      await build.handle.cancel();
      assert.deepEqual(await build.end(), { status: 'CANCELLED' });
      assert.deepEqual(build.steps.slice(-2), ['updateCancelledRecord', 'updateCancelledHistory']);
      assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: true });
    });
  }

  it("a build reports no newer job's record if there was none", async (t) => {
    const build = await environment.start(t);
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED' && !end.outcome.contested);
    assert.deepEqual(await memoOf(build), {});
  });

  it("a build reports no newer job's record only because its start did", async (t) => {
    const memo = { fields: { [CONTESTED_MEMO]: defaultPayloadConverter.toPayload(true) } };
    const build = await environment.start(t, {}, { request: { memo } });
    await build.end();
    assert.deepEqual(await memoOf(build), { [CONTESTED_MEMO]: false });
  });
});
