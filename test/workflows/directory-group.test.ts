/** A request for a group: the order of its steps, and how it ends when one fails. */
import assert from 'node:assert/strict';
import { addAbortListener } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { heartbeat } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, defaultPayloadConverter } from '@temporalio/common';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import type { Resumption } from '../../src/domain/resumption.ts';
import type { RunningBuild, WorkflowEnd } from '../support/running-build.ts';
import {
  always,
  BUILD_ID,
  FREE_NAME,
  GROUP,
  Held,
  times,
  type ActivityName,
  type Attempt,
  type Script,
} from '../support/scripted-activities.ts';
import { until } from '../support/until.ts';
import { inputWith, SKIPPING, WorkflowEnvironment, type BuildOptions } from '../support/workflow-environment.ts';

const SERVER = { name: 'dc1.example.com', address: '192.0.2.1' };
const UNTIL_POST: ActivityName[] = ['upsertRequestRecord', 'insertRequestHistory', 'checkDirectoryGroup'];
const UNTIL_BUILT: ActivityName[] = [...UNTIL_POST, 'triggerBuild', 'getBuildStatus'];

/** A failure as the activities throw it, without a backoff. */
function failure(
  type: string,
  { definite = false, sentTo, retryMs = 1 }: { definite?: boolean; sentTo?: object; retryMs?: number } = {},
): Error {
  const details = sentTo === undefined ? [] : [sentTo];
  return ApplicationFailure.create({
    type,
    message: 'as scripted',
    nonRetryable: definite,
    details,
    nextRetryDelay: retryMs,
  });
}

const unavailable = failure('DirectoryUnavailable');
const unanswered = failure('DirectoryGroupUnknown', { sentTo: SERVER });

let environment: WorkflowEnvironment;
before(async () => {
  const limits = { 'limit.historyCount.suggestContinueAsNew': 60 };
  environment = await WorkflowEnvironment.devServer({ ...SKIPPING, ...limits });
  await environment.startDirectory();
});
after(() => environment.stop());

function start(t: Parameters<WorkflowEnvironment['start']>[0], script: Script, options: BuildOptions = {}) {
  const input = { directory_group: true, poll_interval_seconds: 0.1, ...options.input };
  return environment.start(t, script, { skipWaits: true, ...options, input });
}

function dryRun(): BuildOptions {
  const { build_body } = inputWith();
  return { input: { build_body: { ...build_body, dry_run: true } } };
}

function assertFailed(end: WorkflowEnd, type: string, cause: RegExp): RoleBuildOutcome {
  assert.equal(end.status, 'FAILED');
  assert.ok(end.status === 'FAILED');
  assert.equal(end.type, type);
  assert.match(end.message, cause);
  return end.details[0] as RoleBuildOutcome;
}

/** Returns the waits for the next round, in whole seconds. */
async function waitsOf(build: RunningBuild): Promise<number[]> {
  return (await build.runs())
    .flat()
    .filter(({ userMetadata }) => {
      const summary = userMetadata?.summary;
      return summary && defaultPayloadConverter.fromPayload<string>(summary).endsWith('role built, group waits');
    })
    .map(({ timerStartedEventAttributes: timer }) => Number(timer?.startToFireTimeout?.seconds));
}

/** Returns how many patches its latest run marked. */
async function patchesOf(build: RunningBuild): Promise<number> {
  const names = (await build.history()).map((event) => event.markerRecordedEventAttributes?.markerName);
  return names.filter((name) => name === 'core_patch').length;
}

/** Asserts that both final record updates had this group. */
function assertRecorded(build: RunningBuild, which: 'Successful' | 'Failed', group: object | undefined): void {
  assert.deepEqual(build.argsOf(`update${which}Record`)[0].directory_group, group);
  assert.deepEqual(build.argsOf(`update${which}History`)[0].directory_group, group);
}

describe('a request for a group', { concurrency: true }, () => {
  it('a request for a group is checked before the POST, and made before the last writes, which name the group', async (t) => {
    const build = await start(t, {});
    const end = await build.end();
    assert.ok(end.status === 'COMPLETED');
    assert.deepEqual(end.outcome.directory_group, GROUP);
    const steps = [...UNTIL_BUILT, 'ensureDirectoryGroup', 'updateSuccessfulRecord', 'updateSuccessfulHistory'];
    assert.deepEqual(build.steps, steps);
    const { account_id, custom_role_name: role } = build.input.build_body;
    const request = { account_id, role, request_id: build.input.correlation_id, job_ids: [build.jobId] };
    assert.deepEqual(build.argsOf('checkDirectoryGroup'), [request]);
    assert.deepEqual(build.argsOf('ensureDirectoryGroup'), [request]);
    assertRecorded(build, 'Successful', GROUP);
    assert.equal(await patchesOf(build), 1);
  });

  it('a request for a group that is false runs as if the key were missing', async (t) => {
    const build = await start(t, {}, { input: { directory_group: false } });
    await build.end();
    assert.ok(!build.steps.some((step) => step.includes('Directory')));
    assert.ok(!('directory_group' in build.argsOf('updateSuccessfulRecord')[0]));
    assert.ok(!('directory_group' in build.argsOf('updateSuccessfulHistory')[0]));
    assert.equal(await patchesOf(build), 0);
  });

  it('a request for a group records what a dry run would do, and makes nothing', async (t) => {
    const build = await start(t, {}, dryRun());
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.deepEqual(build.steps, [...UNTIL_BUILT, 'updateSuccessfulRecord', 'updateSuccessfulHistory']);
    assertRecorded(build, 'Successful', FREE_NAME);
  });
});

describe('a check that fails', { concurrency: true }, () => {
  it('a check that fails ends the request with nothing built', async (t) => {
    const build = await start(t, { checkDirectoryGroup: [failure('DirectoryRefused', { definite: true })] });
    const outcome = assertFailed(await build.end(), 'DirectoryRefused', /^CheckDirectoryGroup: as scripted$/);
    assert.equal(outcome.build_id, undefined);
    assert.deepEqual(build.steps, [...UNTIL_POST, 'updateFailedRecord', 'updateFailedHistory']);
    assertRecorded(build, 'Failed', undefined);
  });

  it('a check that fails has three attempts if the directory does not answer', async (t) => {
    const build = await start(t, { checkDirectoryGroup: always(unavailable) });
    assertFailed(await build.end(), 'DirectoryUnavailable', /^CheckDirectoryGroup: as scripted \(3 attempts\)$/);
    assert.equal(build.attemptsAt('checkDirectoryGroup').length, 3);
    assert.equal(build.attemptsAt('triggerBuild').length, 0);
  });
});

describe('a history record whose put was not answered', { concurrency: true }, () => {
  const script = { insertRequestHistory: times(3, failure('RecordWriteFailed')) };

  it('a history record whose put was not answered loses the group of an older job if the request is for a group', async (t) => {
    const build = await start(t, script);
    assertFailed(await build.end(), 'RecordWriteFailed', /^InsertRequestHistory/);
    assert.equal(build.argsOf('updateFailedHistory')[0].directory_group, null);
    assert.ok(!('directory_group' in build.argsOf('updateFailedRecord')[0]));
  });

  it('a history record whose put was not answered is written without a group if the request is for none', async (t) => {
    const build = await start(t, script, { input: { directory_group: false } });
    assertFailed(await build.end(), 'RecordWriteFailed', /^InsertRequestHistory/);
    assert.ok(!('directory_group' in build.argsOf('updateFailedHistory')[0]));
    assert.ok(!('directory_group' in build.argsOf('updateFailedRecord')[0]));
  });
});

describe("a group that can't be created at once", { concurrency: true }, () => {
  it("a group that can't be created at once is tried in rounds with ever longer waits, and the role is not built again", async (t) => {
    const build = await start(t, { ensureDirectoryGroup: times(7, unavailable) });
    assert.equal((await build.end()).status, 'COMPLETED');
    const attempts = build.attemptsAt('ensureDirectoryGroup');
    assert.equal(attempts.length, 8);
    assert.deepEqual(await waitsOf(build), [30, 60]);
    assert.equal(build.attemptsAt('triggerBuild').length, 1);
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    assertRecorded(build, 'Successful', GROUP);
  });

  it("a group that can't be created at once goes on in new runs without another poll, and keeps the domain controller of an add", async (t) => {
    const build = await start(t, { ensureDirectoryGroup: [...times(12, unanswered), ...times(6, unavailable)] });
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.ok((await build.runs()).length >= 2);
    assert.equal(build.attemptsAt('getBuildStatus').length, 1);
    const attempts = build.attemptsAt('ensureDirectoryGroup');
    assert.deepEqual(attempts[0]?.args[0].sent_to, undefined);
    assert.ok(attempts.slice(3).every(({ args }) => args[0].sent_to?.name === SERVER.name));
    assertRecorded(build, 'Successful', GROUP);
  });

  it("a group that can't be created at once is given up at the deadline, and the failure says that the role exists", async (t) => {
    const options = { input: { deadline_seconds: 180 } };
    const build = await start(t, { ensureDirectoryGroup: always(unavailable) }, options);
    const outcome = assertFailed(await build.end(), 'DirectoryUnavailable', /; the role exists, /);
    assert.equal(outcome.build_id, BUILD_ID);
    const [first, second, last = 0, ...more] = await waitsOf(build);
    // The last wait would take 120 s, and ends at the deadline.
    assert.deepEqual([first, second, more], [30, 60, []]);
    assert.ok(last > 0 && last < 90, `${last} s`);
  });

  it("a group that can't be created is given up at once if another attempt would fail the same way", async (t) => {
    const conflict = failure('DirectoryGroupConflict', { definite: true });
    const build = await start(t, { ensureDirectoryGroup: [...times(3, unavailable), conflict] });
    const cause = /^EnsureDirectoryGroup: as scripted; the role exists, /;
    const outcome = assertFailed(await build.end(), 'DirectoryGroupConflict', cause);
    assert.equal(outcome.build_id, BUILD_ID);
    assert.equal(build.argsOf('updateFailedRecord')[0].build_id, BUILD_ID);
    assertRecorded(build, 'Failed', undefined);
  });
});

describe('an add that was not answered', { concurrency: true }, () => {
  it('an add that was not answered is recorded with its domain controller', async (t) => {
    const gone = failure('DirectoryGroupUnknown', { definite: true, sentTo: SERVER });
    const build = await start(t, { ensureDirectoryGroup: [gone] });
    assertFailed(await build.end(), 'DirectoryGroupUnknown', /; the role exists, /);
    assert.deepEqual(build.argsOf('updateFailedRecord')[1].sent_to, SERVER);
    assert.deepEqual(build.argsOf('updateFailedHistory')[1].sent_to, SERVER);
  });

  it('an add that was not answered is unknown, not unavailable, if its worker stays silent until the deadline', async (t) => {
    const dies = ({ signal }: Attempt<'ensureDirectoryGroup'>): Promise<never> => {
      heartbeat(SERVER);
      return new Promise((_, reject) => addAbortListener(signal, () => reject(new Error('given up'))));
    };
    const options = { input: { deadline_seconds: 10 }, skipWaits: false };
    const build = await start(t, { ensureDirectoryGroup: [unavailable, unavailable, dies] }, options);
    assertFailed(await build.end(), 'DirectoryGroupUnknown', /HEARTBEAT.*; the role exists, /);
    assert.deepEqual(build.argsOf('updateFailedRecord')[1].sent_to, SERVER);
  });
});

describe('a resumed request for a group', { concurrency: true }, () => {
  const earlier = { job_id: 'before', start_at: '2026-01-01T00:00:00.000Z', status: 'FAILED' as const };
  const resumption = { resumes: 'before', build_id: 'build-before', previous_jobs: [earlier] };

  it('a resumed request for a group polls once and goes on with the group, which an earlier job may have created', async (t) => {
    const build = await start(t, {}, { resumption });
    assert.equal((await build.end()).status, 'COMPLETED');
    const steps = ['upsertRequestRecord', 'insertRequestHistory', 'getBuildStatus', 'ensureDirectoryGroup'];
    assert.deepEqual(build.steps, [...steps, 'updateSuccessfulRecord', 'updateSuccessfulHistory']);
    assert.deepEqual(build.argsOf('ensureDirectoryGroup')[0].job_ids, [build.jobId, 'before']);
  });

  const sent: Resumption = {
    ...resumption,
    previous_jobs: [{ ...earlier, error_info: { Error: 'DirectoryGroupUnknown', Cause: 'cut', sent_to: SERVER } }],
  };

  it("a resumed request for a group asks the domain controller of the earlier job's add, and names it again if it fails", async (t) => {
    const refused = failure('DirectoryRefused', { definite: true });
    const build = await start(t, { ensureDirectoryGroup: [refused] }, { resumption: sent });
    assertFailed(await build.end(), 'DirectoryRefused', /; the role exists, /);
    assert.deepEqual(build.argsOf('ensureDirectoryGroup')[0].sent_to, SERVER);
    assert.deepEqual(build.argsOf('updateFailedRecord')[1].sent_to, SERVER);
    assert.deepEqual(build.argsOf('updateFailedHistory')[1].sent_to, SERVER);
  });

  it('a resumed request for a group that is cancelled before keeps the domain controller of the add', async (t) => {
    const undecided = { can_retry: true, build_status: 'QUEUED' };
    const options = { resumption: sent, skipWaits: false };
    const build = await start(t, { getBuildStatus: always(undecided) }, options);
    await build.untilEvent('timerStartedEventAttributes', 2);
    await build.handle.cancel();
    assertFailed(await build.end(), 'DirectoryGroupUnknown', /outcome of the add .* dc1\.example\.com is unknown/);
    assert.deepEqual(build.argsOf('updateFailedRecord')[1].sent_to, SERVER);
  });

  it('a resumed request for a group is checked after the poll if it is a dry run', async (t) => {
    const build = await start(t, {}, { ...dryRun(), resumption });
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.deepEqual(build.steps.slice(2, 4), ['getBuildStatus', 'checkDirectoryGroup']);
    assertRecorded(build, 'Successful', FREE_NAME);
  });
});

describe('a cancel of a request for a group', { concurrency: true }, () => {
  it('a cancel of a request for a group during the check keeps the POST from being sent', async (t) => {
    const check = new Held<'checkDirectoryGroup'>();
    const build = await start(t, { checkDirectoryGroup: [check.answer] }, { skipWaits: false });
    await check.began();
    await build.handle.cancel();
    assert.deepEqual(await build.end(), { status: 'CANCELLED' });
    check.succeed(FREE_NAME);
    assert.deepEqual(build.steps, [...UNTIL_POST, 'updateCancelledRecord', 'updateCancelledHistory']);
  });

  for (const [what, answer, status] of [
    ['lets an add under way finish', GROUP, 'COMPLETED'],
    ['ends it if none was sent', new CancelledFailure('cancelled before the add'), 'CANCELLED'],
    ['is outranked by what is definite', failure('DirectoryGroupConflict', { definite: true }), 'FAILED'],
  ] as const) {
    it(`a cancel of a request for a group ${what}`, async (t) => {
      const add = new Held<'ensureDirectoryGroup'>();
      const build = await start(t, { ensureDirectoryGroup: [add.answer] }, { skipWaits: false });
      await add.began();
      await build.handle.cancel();
      await build.untilEvent('workflowExecutionCancelRequestedEventAttributes');
      if (answer instanceof Error) add.fail(answer);
      else add.succeed(answer);
      assert.equal((await build.end()).status, status);
      assert.equal(build.attemptsAt('ensureDirectoryGroup').length, 1);
      const [{ args } = { args: [] }] = build.attempts.slice(-2);
      assert.equal((args[0] as { build_id?: string }).build_id, BUILD_ID);
    });
  }

  it('a cancel of a request for a group while it waits creates no group', async (t) => {
    const build = await start(t, { ensureDirectoryGroup: always(unavailable) }, { skipWaits: false });
    await build.untilEvent('timerStartedEventAttributes', 2);
    await build.handle.cancel();
    assert.deepEqual(await build.end(), { status: 'CANCELLED' });
    assert.equal(build.attemptsAt('ensureDirectoryGroup').length, 3);
  });

  for (const [what, later, status] of [
    ['is found by the next', [], 'COMPLETED'],
    ['is not found', times(2, unanswered), 'FAILED'],
    ['was none', times(2, unavailable), 'CANCELLED'],
  ] as const) {
    it(`a cancel of a request for a group between two attempts keeps the first one's add: it ${what}`, async (t) => {
      const first = status === 'CANCELLED' ? 'DirectoryUnavailable' : 'DirectoryGroupUnknown';
      const add = failure(first, { ...(status !== 'CANCELLED' && { sentTo: SERVER }), retryMs: 3_600_000 });
      const build = await start(t, { ensureDirectoryGroup: [add, ...later] }, { skipWaits: false });
      await until('the next attempt waits', async () => {
        const { raw } = await build.handle.describe();
        return raw.pendingActivities?.[0]?.attempt === 2;
      });
      await build.handle.cancel();
      await environment.skipWaits(build);
      const end = await build.end();
      assert.equal(end.status, status);
      if (status !== 'FAILED') return;
      assertFailed(
        end,
        'DirectoryGroupUnknown',
        /outcome of the add .* dc1\.example\.com is unknown; the role exists, /,
      );
      assert.deepEqual(build.argsOf('updateFailedRecord')[1].sent_to, SERVER);
    });
  }

  it('a cancel of a request for a group whose add has an unknown outcome says so', async (t) => {
    const build = await start(t, { ensureDirectoryGroup: always(unanswered) }, { skipWaits: false });
    await build.untilEvent('timerStartedEventAttributes', 2);
    await build.handle.cancel();
    const cause =
      /^EnsureDirectoryGroup: cancelled while the outcome of the add .* sent to dc1\.example\.com is unknown; the role exists, /;
    assertFailed(await build.end(), 'DirectoryGroupUnknown', cause);
    assert.equal(build.argsOf('updateFailedRecord')[0].build_id, BUILD_ID);
  });
});
