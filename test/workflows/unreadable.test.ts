import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { PAYLOAD_UNREADABLE } from '../../src/contract.ts';
import { always, times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

/** The failure that the SDK makes of the codec's error. */
const unreadable = ApplicationFailure.create({ type: PAYLOAD_UNREADABLE, message: 'no such key here' });
const unavailable = ApplicationFailure.create({ type: 'BuildApiUnavailable', message: 'the build API answered 503' });

describe('a step that workers could not decrypt', () => {
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
    it(`a step that workers could not decrypt is scheduled again until one can: ${step}`, async (t) => {
      const build = await environment.start(t, { [step]: times(7, unreadable) });
      const end = await build.end();
      assert.equal(end.status, 'COMPLETED');
      assert.equal(build.attemptsAt(step).length, 8);
    });
  }

  it('a step that workers could not decrypt still has three attempts on workers that can', async (t) => {
    const build = await environment.start(t, { triggerBuild: [...times(3, unreadable), ...times(3, unavailable)] });
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildApiUnavailable', JSON.stringify(end));
    assert.equal(build.attemptsAt('triggerBuild').length, 6);
    assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
  });

  it('a step that workers could not decrypt is given up at the deadline', async (t) => {
    const build = await environment.start(
      t,
      { triggerBuild: always(unreadable) },
      { input: { deadline_seconds: 100 } },
    );
    const end = await build.end();
    assert.ok(end.status === 'FAILED' && end.type === 'BuildDeadlineExceeded', JSON.stringify(end));
  });
});
