import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { PAYLOAD_UNREADABLE, type RoleBuildOutcome } from '../../src/contract.ts';
import { STATE_NAMES } from '../../src/activities/types.ts';
import { REFUSALS } from '../../src/domain/failures.ts';
import type { RunningBuild, WorkflowEnd } from '../support/running-build.ts';
import { always, BUILD_ID, times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

const failure = (type: string, message: string) => ApplicationFailure.create({ type, message });

/** Asserts that records, failure type, message and outcome all say the same. */
function assertFailed(build: RunningBuild, end: WorkflowEnd, expected: { Error: string; Cause: string }): void {
  assert.ok(end.status === 'FAILED');
  assert.deepEqual({ Error: end.type, Cause: end.message }, expected);
  const [outcome, ...more] = end.details as RoleBuildOutcome[];
  assert.equal(more.length, 0);
  assert.equal(outcome?.status, 'FAILED');
  assert.deepEqual(outcome?.error_info, expected);
  assert.deepEqual(build.argsOf('updateFailedRecord')[1], expected);
  assert.deepEqual(build.argsOf('updateFailedHistory')[1], expected);
  assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
}

describe('a step that failed', () => {
  it('a step that failed before the status put was confirmed fails both records without creating one', async (t) => {
    const build = await environment.start(t, {
      upsertRequestRecord: always(failure('RecordWriteFailed', 'no answer')),
    });
    const end = await build.end();
    const Cause = 'UpsertRequestRecord: no answer (3 attempts)';
    assertFailed(build, end, { Error: 'RecordWriteFailed', Cause });
    assert.equal(build.argsOf('updateFailedHistory')[0].may_create, false);
    assert.deepEqual(build.steps, [...times(3, 'upsertRequestRecord'), 'updateFailedRecord', 'updateFailedHistory']);
  });

  it('a step that failed before the POST keeps it from being sent', async (t) => {
    const build = await environment.start(t, {
      insertRequestHistory: always(failure('RecordWriteFailed', 'no answer')),
    });
    const end = await build.end();
    assertFailed(build, end, {
      Error: 'RecordWriteFailed',
      Cause: 'InsertRequestHistory: no answer (3 attempts)',
    });
    const [history] = build.argsOf('updateFailedHistory');
    assert.equal(history.may_create, true);
    assert.equal('build_id' in history, false);
    assert.equal(build.attemptsAt('triggerBuild').length, 0);
  });

  for (const type of ['BuildApiUnavailable', 'BuildTriggerUnknown']) {
    it(`a step that failed with ${type} at the POST fails the build as that, without a poll`, async (t) => {
      const build = await environment.start(t, { triggerBuild: always(failure(type, 'the build API answered 503')) });
      const end = await build.end();
      assertFailed(build, end, { Error: type, Cause: 'TriggerBuild: the build API answered 503 (3 attempts)' });
      assert.equal(build.attemptsAt('getBuildStatus').length, 0);
    });
  }

  it('a step that failed reports its last attempt, not the first', async (t) => {
    const triggerBuild = [
      failure('BuildTriggerUnknown', 'no answer'),
      failure('BuildApiUnavailable', 'refused'),
      ApplicationFailure.nonRetryable('the build API answered 400', 'CustomNonRetryableError'),
    ];
    const build = await environment.start(t, { triggerBuild });
    const end = await build.end();
    assertFailed(build, end, {
      Error: 'CustomNonRetryableError',
      Cause: 'TriggerBuild: the build API answered 400',
    });
  });

  it('a step that failed for good after the POST keeps the build ID', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('the build API answered 404', 'CustomNonRetryableError');
    const build = await environment.start(t, {
      getBuildStatus: [{ can_retry: true, build_status: 'QUEUED' }, refusal],
    });
    const end = await build.end();
    assertFailed(build, end, { Error: 'CustomNonRetryableError', Cause: 'GetBuildStatus: the build API answered 404' });
    assert.equal(build.argsOf('updateFailedRecord')[0].build_id, BUILD_ID);
    assert.equal(build.argsOf('updateFailedHistory')[0].build_id, BUILD_ID);
    assert.ok(end.status === 'FAILED');
    assert.equal((end.details[0] as RoleBuildOutcome).polls, 1);
  });

  it('a step that failed has its cause cut to what a record holds', async (t) => {
    const long = 'ä'.repeat(100_000);
    const build = await environment.start(t, {
      triggerBuild: always(ApplicationFailure.nonRetryable(long, 'CustomNonRetryableError')),
    });
    const end = await build.end();
    assert.ok(end.status === 'FAILED');
    assert.equal(end.message.length, 32_768);
    assert.ok(end.message.startsWith('TriggerBuild: ää') && end.message.endsWith('ä…'));
  });
});

describe('a first put that was given up', () => {
  it('a first put that was given up may still take effect, so the end is written only when it no longer can', async (t) => {
    const build = await environment.start(t, {
      upsertRequestRecord: always(failure('RecordWriteFailed', 'no answer')),
    });
    await build.end();
    const lastPut = build.attemptsAt('upsertRequestRecord').at(-1);
    const [finalUpdate] = build.attemptsAt('updateFailedRecord');
    assert.ok(lastPut?.endedMs !== undefined && finalUpdate !== undefined);
    assert.ok(finalUpdate.startedMs - lastPut.endedMs >= 15_000);
  });
});

describe('a worker that died in the last attempt', () => {
  const steps = [
    { step: 'upsertRequestRecord', Error: 'RecordWriteFailed', timeout: 'START_TO_CLOSE' },
    { step: 'insertRequestHistory', Error: 'RecordWriteFailed', timeout: 'START_TO_CLOSE' },
    { step: 'triggerBuild', Error: 'BuildTriggerUnknown', timeout: 'HEARTBEAT' },
  ] as const;
  for (const { step, Error, timeout } of steps) {
    it(`a worker that died in the last attempt at ${step} is noticed in 16 s and fails the build as ${Error}`, async (t) => {
      // Not on the shared server: the time-skipping server skips no more time once an attempt timed out.
      const ownEnvironment = await WorkflowEnvironment.timeSkipping();
      t.after(() => ownEnvironment.stop());
      // All that the server sees of a dead worker: no heartbeat and no answer.
      const late = async () => {
        await ownEnvironment.sleep(16_000);
        return null as never;
      };
      const busy = failure('BuildApiUnavailable', 'busy');
      const build = await ownEnvironment.start(t, { [step]: [busy, busy, late] });
      const end = await build.end();
      const Cause = `${STATE_NAMES[step]}: the worker did not finish it in time (${timeout}) (3 attempts)`;
      assertFailed(build, end, { Error, Cause });
    });
  }
});

describe('a refusal', () => {
  for (const type of REFUSALS) {
    it(`a refusal ${type} ends the workflow as that, with its details, and writes nothing`, async (t) => {
      const faults = [{ path: 'url', message: 'is missing' }];
      const refusal = ApplicationFailure.create({
        type,
        message: 'refused',
        nonRetryable: true,
        details: [{ faults }],
      });
      const build = await environment.start(t, { upsertRequestRecord: always(refusal) });
      assert.deepEqual(await build.end(), { status: 'FAILED', type, message: 'refused', details: [{ faults }] });
      assert.deepEqual(build.steps, ['upsertRequestRecord']);
    });
  }

  it('a refusal JobAlreadyEnded at the history put ends the workflow as that too; no other refusal does', async (t) => {
    const refusal = (type: string) => ApplicationFailure.nonRetryable('refused', type);
    const ended = await environment.start(t, { insertRequestHistory: [refusal('JobAlreadyEnded')] });
    assert.deepEqual(await ended.end(), { status: 'FAILED', type: 'JobAlreadyEnded', message: 'refused', details: [] });
    assert.deepEqual(ended.steps, ['upsertRequestRecord', 'insertRequestHistory']);
    const other = await environment.start(t, { insertRequestHistory: [refusal('NothingToResume')] });
    const Cause = 'InsertRequestHistory: refused';
    assertFailed(other, await other.end(), { Error: 'RecordWriteFailed', Cause });
  });

  for (const garbage of [null, 'text', {}, { build_body: null }]) {
    it(`a refusal is the only result of the input ${JSON.stringify(garbage)}`, async (t) => {
      const refusal = ApplicationFailure.nonRetryable('refused', 'InvalidInput');
      const build = await environment.start(t, { upsertRequestRecord: always(refusal) }, { rawInput: garbage });
      assert.deepEqual(await build.end(), { status: 'FAILED', type: 'InvalidInput', message: 'refused', details: [] });
      assert.deepEqual(build.steps, ['upsertRequestRecord']);
    });
  }
});

describe('a refusal after an attempt that may have put the record', () => {
  const faults = [{ path: 'url', message: 'is not allowed here' }];
  const refusal = (type: string) =>
    ApplicationFailure.create({ type, message: 'refused', nonRetryable: true, details: [{ faults }] });
  const unanswered = failure('RecordWriteFailed', 'DynamoDB did not answer');
  const unreadable = failure(PAYLOAD_UNREADABLE, 'no such key here');
  /** The refusal as the activity throws it at its second attempt. */
  const afterAPut = (type: string) =>
    ApplicationFailure.create({ type: 'RecordWriteFailed', message: 'x', nonRetryable: true, cause: refusal(type) });
  const Cause = 'UpsertRequestRecord: refused, after an earlier attempt had put the record';

  for (const type of ['InvalidInput', 'HeldByStepFunctions', 'NothingToResume']) {
    for (const [how, upsertRequestRecord] of [
      ['at a later attempt', [unanswered, afterAPut(type)]],
      ['by a worker that was given it after one that could not read it', [...times(3, unreadable), refusal(type)]],
    ] as const) {
      it(`a refusal after an attempt that may have put the record ${how} fails the build in its records once no put can come any more: ${type}`, async (t) => {
        const build = await environment.start(t, { upsertRequestRecord });
        assertFailed(build, await build.end(), { Error: 'RecordWriteFailed', Cause });
        assert.equal(build.argsOf('updateFailedHistory')[0].may_create, false);
        const lastPut = build.attemptsAt('upsertRequestRecord').at(-1);
        const [finalUpdate] = build.attemptsAt('updateFailedRecord');
        assert.ok(lastPut?.endedMs !== undefined && finalUpdate !== undefined);
        assert.ok(finalUpdate.startedMs - lastPut.endedMs >= 15_000);
        assert.equal(build.attemptsAt('triggerBuild').length, 0);
      });

      it(`a refusal after an attempt that may have put the record ${how} stays a refusal if there is no record: ${type}`, async (t) => {
        const absent = { absent: true } as const;
        const script = { upsertRequestRecord, updateFailedRecord: [absent], updateFailedHistory: [absent] };
        const build = await environment.start(t, script);
        assert.deepEqual(await build.end(), { status: 'FAILED', type, message: 'refused', details: [{ faults }] });
        assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      });
    }
  }

  it('a refusal after an attempt that may have put the record fails the build if only the history table has a record', async (t) => {
    const build = await environment.start(t, {
      upsertRequestRecord: [unanswered, afterAPut('HeldByStepFunctions')],
      updateFailedRecord: [{ absent: true }],
    });
    assertFailed(build, await build.end(), { Error: 'RecordWriteFailed', Cause });
  });

  it("a refusal after an attempt that may have put the record leaves this job's own end alone, whichever attempt finds it", async (t) => {
    const build = await environment.start(t, { upsertRequestRecord: [unanswered, afterAPut('JobAlreadyEnded')] });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'JobAlreadyEnded', JSON.stringify(end));
    assert.deepEqual(build.steps, times(2, 'upsertRequestRecord'));
  });
});
