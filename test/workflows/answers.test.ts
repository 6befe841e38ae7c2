/** Any client that may write to the namespace can answer an activity that is under way, with what it likes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ActivityName, Answer } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const STRANGE = [undefined, 5, 'text', [], {}, { build_id: '..' }, { name: {} }, { job_id: 7 }];

describe('an activity that somebody else has answered', () => {
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
    it(`an activity that somebody else has answered fails its step: ${activity}`, async (t) => {
      // Not at once: time skips for all builds, and an activity waits for its worker no longer than it must.
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
    it(`an activity that somebody else has answered is made again if it is a final update: ${activity}`, async (t) => {
      const build = await environment.start(t, { [activity]: STRANGE as unknown as Answer<typeof activity>[] });
      const end = await build.end();
      assert.equal(end.status, 'COMPLETED');
      assert.equal(build.attemptsAt(activity).length, STRANGE.length + 1);
    });
  }
});
