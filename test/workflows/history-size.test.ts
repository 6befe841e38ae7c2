import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.devServer();
});
after(() => environment.stop());

/** Less than an input may have; the first step's fake does not check it. */
const poll_interval_seconds = 0.1;

/** Returns the events and bytes of the history of a build with this many polls. */
async function historyOf(t: TestContext, polls: number, more: object = {}): Promise<{ events: number; bytes: number }> {
  const script = { getBuildStatus: times(polls - 1, { can_retry: true, build_status: 'IN_PROGRESS' }) };
  const build = await environment.start(t, script, { input: { poll_interval_seconds, ...more } });
  const end = await build.end();
  assert.ok(end.status === 'COMPLETED' && end.outcome.polls === polls);
  const { historyLength, historySize } = await build.handle.describe();
  return { events: historyLength, bytes: historySize ?? NaN };
}

describe('the history of a build', { concurrency: true }, () => {
  it('the history of a build of 2 polls has 49 events', async (t) => {
    assert.equal((await historyOf(t, 2)).events, 49);
  });

  it('the history of a build grows by 6 events and less than 1 KB with each poll', async (t) => {
    const [short, long] = await Promise.all([historyOf(t, 2), historyOf(t, 5)]);
    assert.equal(long.events - short.events, 3 * 6);
    const bytesEach = (long.bytes - short.bytes) / 3;
    assert.ok(bytesEach < 1024, `${bytesEach} bytes a poll`);
  });

  it('the history of a build has 2 events more with a deadline', async (t) => {
    assert.equal((await historyOf(t, 2, { deadline_seconds: 3600 })).events, 51);
  });
});
