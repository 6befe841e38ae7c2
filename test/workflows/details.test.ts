import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import type { RunningBuild } from '../support/running-build.ts';
import { always, BUILD_ID, GROUP, Held, times } from '../support/scripted-activities.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

/** How late a step may be: far less than the difference of two waits. */
const LATE_MS = 15_000;

const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
  await environment.startDirectory();
});
after(() => environment.stop());

/** What the Web UI shows of a workflow: Markdown. */
async function detailsOf(build: RunningBuild): Promise<string[]> {
  const metadata = await build.handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails.split('\n');
}

describe('the current details', () => {
  it('the current details of a build that waits say the step, the next poll, the polls and the last answer', async (t) => {
    const build = await environment.start(t, { getBuildStatus: always(UNDECIDED) });
    await build.untilEvent('timerStartedEventAttributes');
    const first = await detailsOf(build);
    assert.deepEqual(first.slice(1), ['', '- polls: 0', `- build_id: \`${BUILD_ID}\``]);

    await build.sleepUntilAttempted(environment, 'getBuildStatus', 2);
    await build.untilEvent('timerStartedEventAttributes', 3);
    const [step = '', ...lines] = await detailsOf(build);
    assert.deepEqual(lines, ['', '- polls: 2', `- build_id: \`${BUILD_ID}\``, '- last answer: `QUEUED`']);
    const [, nextPoll = ''] = /^\*\*WaitForBuildStatus\*\*: next poll at (.+)$/.exec(step) ?? [];
    const inMs = Date.parse(nextPoll) - (build.attemptsAt('getBuildStatus')[1]?.endedMs ?? NaN);
    assert.ok(Math.abs(inMs - 60_000) < LATE_MS, step);
  });

  it('the current details of a build at a step say which', async (t) => {
    const post = new Held<'triggerBuild'>();
    const build = await environment.start(t, { triggerBuild: [post.answer] });
    await post.began();
    assert.deepEqual(await detailsOf(build), ['**TriggerBuild**', '', '- polls: 0']);
    post.succeed({ build_id: BUILD_ID });
    await build.end();
    assert.equal((await detailsOf(build))[0], '**ended COMPLETE**');
  });

  it('the current details of a final record update that waits say why, and when it is made again', async (t) => {
    const failure = new Error('DynamoDB did not answer');
    const input = { poll_interval_seconds: 1 };
    const build = await environment.start(t, { updateSuccessfulHistory: times(6, failure) }, { input });
    await build.sleepUntilAttempted(environment, 'updateSuccessfulHistory', 3);
    await build.untilEvent('timerStartedEventAttributes', 2);
    const [step = ''] = await detailsOf(build);
    const said = /^\*\*UpdateSuccessfulHistory\*\*: .*DynamoDB did not answer.* at (\S+)$/.exec(step);
    const inMs = Date.parse(said?.[1] ?? '') - (build.attemptsAt('updateSuccessfulHistory')[2]?.endedMs ?? NaN);
    assert.ok(Math.abs(inMs - 30_000) < LATE_MS, step);
  });

  it("the current details of a build with a group say the group's name and outcome", async (t) => {
    const last = new Held<'updateSuccessfulRecord'>();
    const options = { input: { directory_group: true, poll_interval_seconds: 1 } };
    const build = await environment.start(t, { updateSuccessfulRecord: [last.answer] }, options);
    await build.sleepUntilAttempted(environment, 'updateSuccessfulRecord', 1);
    assert.deepEqual((await detailsOf(build)).at(-1), `- group: \`${GROUP.name}\`, created`);
    last.succeed(null);
    await build.end();
    assert.deepEqual((await detailsOf(build)).at(-1), `- group: \`${GROUP.name}\`, created`);
  });

  it('the current details of a failed build say why, and those of a contested one that it is contested', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('the build API answered 400', 'CustomNonRetryableError');
    const holder = { job_id: 'newer', start_at: '2026-01-01T00:00:00.000Z' };
    const build = await environment.start(t, { triggerBuild: [refusal], updateFailedRecord: [holder] });
    await build.end();
    assert.deepEqual(await detailsOf(build), [
      '**ended FAILED**',
      '',
      '- polls: 0',
      '- error: CustomNonRetryableError',
      '- cause: `TriggerBuild: the build API answered 400`',
      '- contested: true (a newer job holds a record, which was left alone)',
    ]);
  });

  const FROM_OUTSIDE = '`**bold**`\n# [a link](https://example.com)';
  const AS_CODE = /`[^`\n]*\*\*bold\*\*[^`\n]*`/;

  it('the current details never take an answer of the build API for Markdown', async (t) => {
    const verdict = { can_retry: false, build_status: FROM_OUTSIDE, answer: FROM_OUTSIDE };
    const build = await environment.start(t, { getBuildStatus: [verdict] });
    await build.end();
    const shown = (await detailsOf(build)).filter((line) => line.includes('bold'));
    assert.equal(shown.length, 2);
    for (const line of shown) assert.match(line, AS_CODE);
  });

  it("the current details never take an error's message for Markdown", async (t) => {
    const input = { poll_interval_seconds: 1 };
    const build = await environment.start(t, { updateSuccessfulRecord: times(3, new Error(FROM_OUTSIDE)) }, { input });
    await build.sleepUntilAttempted(environment, 'updateSuccessfulRecord', 3);
    await build.untilEvent('timerStartedEventAttributes', 2);
    const shown = (await detailsOf(build)).join('\n');
    assert.match(shown, AS_CODE);
    assert.doesNotMatch(shown, /^#/m);
  });
});

describe('the history', () => {
  const summariesOf = async (build: RunningBuild) => {
    const payloads = (await build.history()).map(({ userMetadata }) => userMetadata?.summary);
    return payloads
      .filter((payload) => payload !== null && payload !== undefined)
      .map((payload) => defaultPayloadConverter.fromPayload<string>(payload));
  };

  it('the history says what each activity, timer and poll is for', async (t) => {
    const build = await environment.start(t, {
      getBuildStatus: [UNDECIDED],
      updateSuccessfulHistory: times(3, new Error('no')),
    });
    await build.end();
    assert.deepEqual(await summariesOf(build), [
      'status record: IN_PROGRESS',
      'history record: IN_PROGRESS',
      'POST /build',
      'WaitForBuildStatus',
      'GET /build/{build_id}',
      'WaitForBuildStatus',
      'GET /build/{build_id}',
      'COMPLETE',
      'COMPLETE',
      'UpdateSuccessfulHistory: wait to try again',
      'COMPLETE',
    ]);
  });

  it("the history says what a deadline's timer is for too", async (t) => {
    const build = await environment.start(t, {}, { input: { deadline_seconds: 3600 } });
    await build.end();
    const timers = (await build.history()).filter(({ timerStartedEventAttributes: timer }) => timer);
    assert.equal(timers.length, 2);
    for (const { userMetadata } of timers) assert.ok(userMetadata?.summary);
  });
});
