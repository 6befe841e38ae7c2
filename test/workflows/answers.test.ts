/** Any client that may write to the namespace can complete a running activity with any result. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ActivityName, Answer } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const STRANGE = [undefined, 5, 'text', [], {}, { build_id: '..' }, { name: {} }, { job_id: 7 }];

describe('an activity that another client completed', () => {
  let environment: WorkflowEnvironment;
  before(async () => {
    environment = await WorkflowEnvironment.timeSkipping();
    await environment.startDirectory();
  });
  after(() => environment.stop());

  for (const [activity, error] of [
    ['upsertRequestRecord', 'RecordWriteFailed'],
    ['insertRequestHistory', 'RecordWriteFailed'],
    ['checkDirectoryGroup', 'DirectoryUnavailable'],
    ['triggerBuild', 'BuildTriggerUnknown'],
    ['ensureDirectoryGroup', 'DirectoryUnavailable'],
  ] as const satisfies [ActivityName, string][]) {
    it(`an activity that another client completed fails its step: ${activity}`, async (t) => {
      // In series, because time skips for all builds at once and an activity's timeouts are short.
      for (const strange of STRANGE) {
        const script = { [activity]: [strange as unknown as Answer<typeof activity>] };
        const build = await environment.start(t, script, { input: { directory_group: true } });
        const end = await build.end();
        assert.ok(end.status === 'FAILED' && end.type === error, `${JSON.stringify(strange)}: ${JSON.stringify(end)}`);
        assert.match(end.message, /completed with a result that no worker of ours returns/);
        assert.deepEqual(build.steps.slice(-2), ['updateFailedRecord', 'updateFailedHistory']);
      }
    });
  }

  for (const activity of ['updateSuccessfulRecord', 'updateSuccessfulHistory'] as const) {
    it(`an activity that another client completed is made again if it is a final update: ${activity}`, async (t) => {
      const build = await environment.start(t, { [activity]: STRANGE as unknown as Answer<typeof activity>[] });
      const end = await build.end();
      assert.equal(end.status, 'COMPLETED');
      assert.equal(build.attemptsAt(activity).length, STRANGE.length + 1);
    });
  }
});
