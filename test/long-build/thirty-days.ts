/**
 * `npm run test:long-build`: a build that is polled every minute for thirty days, on the time-skipping server. It takes
 * some minutes; `LONG_BUILD_POLLS` shortens it. Not part of `npm test`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OwnWorkflowActivities, RoleBuildActivities } from '../../src/activities/types.ts';
import { BUILD_ID } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

const POLLS = Number(process.env['LONG_BUILD_POLLS'] ?? 30 * 24 * 60);
const GIVE_UP_MS = 60 * 60_000;
/** Temporal ends a workflow at 51,200 events, and suggests to continue as new at about 4,000. */
const EVENTS_AT_MOST = 5_000;

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

describe(`a build of ${POLLS} polls`, () => {
  it(`a build of ${POLLS} polls ends COMPLETE with every poll counted, through however many runs`, async (t) => {
    const taskQueue = 'long-build';
    const jobs = new Set<string>();
    let polls = 0;
    // Not the scripted activities, which would keep every attempt in memory.
    const activities: Partial<RoleBuildActivities & OwnWorkflowActivities> = {
      upsertRequestRecord: async (_input, job) => {
        jobs.add(JSON.stringify(job));
        return null;
      },
      insertRequestHistory: async () => null,
      getBuildStatus: async (_target, buildId) => {
        assert.equal(buildId, BUILD_ID);
        polls += 1;
        return { can_retry: polls < POLLS, build_status: polls < POLLS ? 'IN_PROGRESS' : 'SUCCEEDED' };
      },
      checkCarriedInput: async () => [],
      updateSuccessfulRecord: async ({ job }) => {
        jobs.add(JSON.stringify(job));
        return null;
      },
      updateSuccessfulHistory: async ({ job }) => {
        jobs.add(JSON.stringify(job));
        return null;
      },
    };
    await environment.startWorker({ taskQueue, activities });

    const startedAt = performance.now();
    const build = await environment.start(t, {}, { taskQueue });
    const startedMs = await environment.nowMs();
    const end = await build.end(GIVE_UP_MS);
    const tookSeconds = (performance.now() - startedAt) / 1000;

    assert.ok(end.status === 'COMPLETED' && end.outcome.status === 'COMPLETE', JSON.stringify(end));
    assert.equal(end.outcome.polls, POLLS);
    assert.equal(polls, POLLS);
    assert.equal(end.outcome.job_id, build.jobId);
    // The POST's own worker follows the script.
    assert.deepEqual(build.steps, ['triggerBuild']);
    const { job_id, start_at } = end.outcome;
    assert.deepEqual([...jobs], [JSON.stringify({ job_id, start_at })]);

    const runs = await build.runs();
    const closedMs = (await build.handle.describe()).closeTime?.getTime() ?? NaN;
    const days = (closedMs - startedMs) / 86_400_000;
    assert.ok(closedMs - Date.parse(start_at) >= POLLS * 60_000, `${days} days`);
    const largest = Math.max(...runs.map((events) => events.length));
    assert.ok(largest < EVENTS_AT_MOST, `${largest} events`);
    t.diagnostic(
      `${polls} polls in ${days.toFixed(2)} days of the server's time: ${runs.length} runs, ` +
        `the largest of ${largest} events, in ${tookSeconds.toFixed(0)} s`,
    );
  });
});
