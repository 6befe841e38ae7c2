import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { PAYLOAD_UNREADABLE } from '../../src/contract.ts';
import { always, times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

/** As the SDK makes it of what the codec throws. */
const unreadable = ApplicationFailure.create({ type: PAYLOAD_UNREADABLE, message: 'no such key here' });
const unavailable = ApplicationFailure.create({ type: 'BuildApiUnavailable', message: 'the build API answered 503' });

describe('a step that workers could not read', () => {
  let environment: WorkflowEnvironment;
  before(async () => {
    environment = await WorkflowEnvironment.timeSkipping();
  });
  after(() => environment.stop());

  for (const step of [
    'upsertRequestRecord',
    'insertRequestHistory',
    'triggerBuild',
    'updateSuccessfulRecord',
  ] as const) {
    it(`a step that workers could not read is given to them again until one can: ${step}`, async (t) => {
      const build = await environment.start(t, { [step]: times(7, unreadable) });
      const end = await build.end();
      assert.equal(end.status, 'COMPLETED');
      assert.equal(build.attemptsAt(step).length, 8);
    });
  }

  it('a step that workers could not read has its three attempts by those who can', async (t) => {
    const build = await environment.start(t, { triggerBuild: [...times(3, unreadable), ...times(3, unavailable)] });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable', JSON.stringify(end));
    assert.equal(build.attemptsAt('triggerBuild').length, 6);
    assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
  });

  it('a step that workers could not read is waited for no longer than its deadline', async (t) => {
    const build = await environment.start(
      t,
      { triggerBuild: always(unreadable) },
      { input: { deadline_seconds: 100 } },
    );
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded', JSON.stringify(end));
  });
});
