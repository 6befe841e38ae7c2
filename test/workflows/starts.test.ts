/** Starts of `roleBuild` by other clients, with options and arguments that our own client never sends. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { WorkflowStartOptions } from '@temporalio/client';
import { defaultPayloadConverter, RawValue } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { ContinueAsNewOptions } from '@temporalio/workflow';
import { ROLE_BUILD_WORKFLOW_TYPE, searchAttributes, workflowIdOf } from '../../src/contract.ts';
import { newProgress, type Progress } from '../../src/domain/progress.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';
import { RunningBuild, type WorkflowEnd } from '../support/running-build.ts';
import { always, Held, type Script } from '../support/scripted-activities.ts';
import { until } from '../support/until.ts';
import { inputWith, SKIPPING, TASK_QUEUE, WorkflowEnvironment } from '../support/workflow-environment.ts';

const workflowsPath = fileURLToPath(new URL('../support/probe-workflows.ts', import.meta.url));
const FOREIGN_QUEUE = "another team's";
const FAULTS = [{ path: 'url', message: 'is missing' }];

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.devServer(SKIPPING);
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: quietRuntime() });
  await environment.startWorker({ taskQueue: FOREIGN_QUEUE, workflowBundle });
});
after(() => environment.stop());

/** @returns the faults by path */
function faultsOf(end: WorkflowEnd | undefined): Record<string, string> {
  assert.ok(end?.status === 'FAILED' && end.type === 'InvalidInput', JSON.stringify(end));
  const [{ faults }] = end.details as [{ faults: { path: string; message: string }[] }];
  for (const { path, message } of faults) assert.ok(end.message.includes(`${path}: ${message}`));
  return Object.fromEntries(faults.map(({ path, message }) => [path, message]));
}

async function assertNothingDone(build: Pick<RunningBuild, 'handle' | 'steps'>): Promise<void> {
  assert.deepEqual(build.steps, []);
  const { events } = await build.handle.fetchHistory();
  assert.ok(
    events?.every((event) => !event.activityTaskScheduledEventAttributes && !event.timerStartedEventAttributes),
  );
}

describe('an invalid start', { concurrency: true }, () => {
  const timeouts = {
    workflow_execution_timeout: { workflowExecutionTimeout: msToTs('1 day') },
    workflow_run_timeout: { workflowRunTimeout: msToTs('365 days') },
  };
  for (const [path, request] of Object.entries({
    ...timeouts,
    retry_policy: { retryPolicy: { maximumAttempts: 3 } },
  })) {
    it(`an invalid start with a ${path} is refused, with nothing done`, async (t) => {
      const build = await environment.start(t, {}, { request });
      const faults = faultsOf(await build.end());
      // A run's timeout is that of its whole execution, if there is one.
      const also = path === 'workflow_execution_timeout' ? ['(start).workflow_run_timeout'] : [];
      assert.deepEqual(Object.keys(faults), [`(start).${path}`, ...also]);
      if (path in timeouts) assert.match(Object.values(faults).join(), /deadline_seconds/);
      await assertNothingDone(build);
    });
  }

  for (const [name, of] of Object.entries({
    'a UUID': () => crypto.randomUUID(),
    'another account': ({ ddb_composite_sort_key: resource }) => workflowIdOf('999999999999', resource),
    'another resource': ({ build_body: { account_id } }) => workflowIdOf(account_id, 'iam_role#another'),
    'one character more': (input) => `${idOf(input)} `,
    'what a Schedule adds': (input) => `${idOf(input)}-2026-01-01T00:00:00Z`,
  } satisfies Record<string, (input: RoleBuildInput) => string>)) {
    it(`an invalid start under a workflow ID of ${name} is refused with the right one`, async (t) => {
      const input = inputWith();
      const build = await environment.start(t, {}, { input, workflowId: of(input) });
      const faults = faultsOf(await build.end());
      assert.deepEqual(Object.keys(faults), ['(start).workflow_id']);
      assert.ok(faults['(start).workflow_id']?.includes(JSON.stringify(idOf(input))));
      await assertNothingDone(build);
    });
  }

  it('an invalid start with a second argument that is not a resumption is refused', async (t) => {
    const build = await environment.start(t, {}, { resumption: progressOf(new Date().toISOString()) });
    assert.deepEqual(Object.keys(faultsOf(await build.end())), ['(resumption)']);
    await assertNothingDone(build);
  });

  for (const [what, encoding, text] of [
    ['Protobuf', 'json/protobuf', '{}'],
    ['text that is no JSON', 'json/plain', '{"encrypted_jwt": "canary'],
  ] as const) {
    it(`an invalid start with ${what} for its arguments is refused without repeating them`, async (t) => {
      const payload = { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(text) };
      const handle = await environment.client.workflow.start(ROLE_BUILD_WORKFLOW_TYPE, {
        workflowId: `no arguments: ${what}`,
        taskQueue: TASK_QUEUE,
        args: [RawValue.fromPayload(payload), RawValue.fromPayload(payload)],
        memo: { contested: RawValue.fromPayload(payload) },
      });
      t.after(() => handle.terminate().catch(() => undefined));
      const build = new RunningBuild(handle, handle.firstExecutionRunId, inputWith(), []);
      const end = await build.end();
      assert.deepEqual(Object.keys(faultsOf(end)), ['(input)', '(resumption)']);
      assert.doesNotMatch(JSON.stringify(end), /canary/);
      await assertNothingDone(build);
    });
  }

  it('an invalid start with a number that JavaScript reads as infinity is refused', async (t) => {
    const text = JSON.stringify(inputWith()).replace('"build_body":{', '"build_body":{"limits":[1,{"x":-1e400}],');
    assert.ok(text.includes('1e400'));
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(text) };
    const build = await environment.start(t, {}, { request: { input: { payloads: [payload] } } });
    const end = await build.end();
    assert.match(faultsOf(end)['(input)'] ?? '', /has a number too large to be carried exactly/);
    await assertNothingDone(build);
  });

  it('an invalid start is refused with all of its faults at once', async (t) => {
    const request = {
      ...timeouts.workflow_execution_timeout,
      ...timeouts.workflow_run_timeout,
      retryPolicy: { maximumAttempts: 3 },
    };
    const build = await environment.start(t, {}, { request, workflowId: 'any', resumption: 'text' });
    assert.deepEqual(Object.keys(faultsOf(await build.end())), [
      '(start).workflow_id',
      '(start).retry_policy',
      '(start).workflow_execution_timeout',
      '(start).workflow_run_timeout',
      '(resumption)',
    ]);
  });

  it('an invalid start with a cron_schedule is refused at each run, and ends if it is cancelled before the next', async (t) => {
    const build = await environment.start(t, {}, { request: { cronSchedule: '@every 2s' } });
    await until('its first run was refused', async () => (await build.handle.describe()).runId !== build.jobId);
    const failure = (await build.runs())[0]?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    assert.equal(failure?.applicationFailureInfo?.type, 'InvalidInput');
    assert.match(failure.message ?? '', /^the input was refused: \(start\).cron_schedule: must not be set/);
    await build.handle.cancel();
    await until('it is cancelled', async () => (await build.handle.describe()).status.name === 'CANCELLED');
    assert.deepEqual(build.steps, []);
  });
});

describe('a valid start by another client', { concurrency: true }, () => {
  it('a valid start by another client may carry a malformed failure of an earlier run', async (t) => {
    const continuedFailure = { message: 'odd', childWorkflowExecutionFailureInfo: {} };
    const request = { continuedFailure };
    const build = await environment.start(t, {}, { request, input: { poll_interval_seconds: 1 } });
    assert.equal((await build.end()).status, 'COMPLETED');
  });

  it('a valid start by another client may be delayed', async (t) => {
    const request = { workflowStartDelay: msToTs(1_000) };
    const build = await environment.start(t, {}, { request, input: { poll_interval_seconds: 1 } });
    assert.equal((await build.end()).status, 'COMPLETED');
  });

  it('a valid start by another client may be that of a child workflow', async (t) => {
    const input = inputWith({ poll_interval_seconds: 1 });
    environment.follow(idOf(input), {});
    const args = [ROLE_BUILD_WORKFLOW_TYPE, idOf(input), TASK_QUEUE, input];
    const options = { workflowId: `parent of ${idOf(input)}`, taskQueue: FOREIGN_QUEUE, args };
    const handle = await environment.client.workflow.start('parent', options);
    t.after(() => handle.terminate().catch(() => undefined));
    assert.equal(((await handle.result()) as { status: string }).status, 'COMPLETE');
  });
});

function idOf(input: RoleBuildInput): string {
  return workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
}

function progressOf(start_at: string): Progress {
  return { ...newProgress(start_at, 'absent'), record: 'written', build_id: 'build-of-another', polls: 3 };
}

/** A workflow of another type, on another worker, that continues as new as `roleBuild` under a build's workflow ID. */
async function handOver(
  t: TestContext,
  given: readonly unknown[],
  script: Script = {},
  options: { continued?: ContinueAsNewOptions; start?: Partial<WorkflowStartOptions> } = {},
): Promise<RunningBuild> {
  const input = inputWith({ poll_interval_seconds: 1 });
  const attempts = environment.follow(idOf(input), script);
  const handle = await environment.client.workflow.start('handOver', {
    ...options.start,
    workflowId: idOf(input),
    taskQueue: FOREIGN_QUEUE,
    args: [{ workflowType: ROLE_BUILD_WORKFLOW_TYPE, taskQueue: TASK_QUEUE, ...options.continued }, input, ...given],
  });
  t.after(() => handle.terminate().catch(() => undefined));
  return new RunningBuild(
    environment.client.workflow.getHandle(idOf(input)),
    handle.firstExecutionRunId,
    input,
    attempts,
  );
}

describe('a run that continues another workflow type', { concurrency: true }, () => {
  const long_ago = '2020-01-01T00:00:00.000Z';

  for (const [name, given, path] of [
    ['nothing', [], '(carried)'],
    ['what a build resumes', [{ resumes: 'job', previous_jobs: [] }], '(carried).start_at'],
    ['a start that is still to come', [progressOf('9999-12-31T23:59:59.999Z')], '(carried).start_at'],
    ['an end of no shape', [{ ...progressOf(long_ago), ending: { status: 'FAILED' } }], '(carried).ending'],
  ] as const) {
    it(`a run that continues another workflow type with ${name} is refused, with nothing done`, async (t) => {
      const build = await handOver(t, given);
      const faults = faultsOf(await build.end());
      assert.ok(path in faults, JSON.stringify(faults));
      await assertNothingDone(build);
    });
  }

  it('a run that continues another workflow type is refused for the options that it sets, or was started with', async (t) => {
    const options = {
      continued: { workflowRunTimeout: '1 hour' },
      start: { workflowExecutionTimeout: '1 day', retry: { maximumAttempts: 2 } },
    } as const;
    const build = await handOver(t, [progressOf(long_ago)], {}, options);
    assert.deepEqual(Object.keys(faultsOf(await build.end())), [
      '(start).retry_policy',
      '(start).workflow_execution_timeout',
      '(start).workflow_run_timeout',
    ]);
    await assertNothingDone(build);
  });

  for (const [name, more] of [
    ['polls', {}],
    ['has ended', { ending: { status: 'COMPLETE' } }],
  ] as const) {
    it(`a run that continues another workflow type as a build that ${name} has its input checked first, and is refused with its faults`, async (t) => {
      const given = { ...progressOf(long_ago), ...more, resumption: { resumes: 'job', previous_jobs: [] } };
      const build = await handOver(t, [given], { checkCarriedInput: [FAULTS] });
      assert.deepEqual(faultsOf(await build.end()), { url: 'is missing' });
      assert.deepEqual(build.steps, ['checkCarriedInput']);
      const job = { job_id: build.jobId, start_at: long_ago };
      assert.deepEqual(build.argsOf('checkCarriedInput'), [build.input, job, given.resumption]);
    });
  }

  it('a run that continues another workflow type creates no group that its input does not request', async (t) => {
    const build = await handOver(t, [{ ...progressOf(long_ago), role_built: true }]);
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.deepEqual(build.steps.slice(0, 2), ['checkCarriedInput', 'getBuildStatus']);
    assert.equal(build.attemptsAt('ensureDirectoryGroup').length, 0);
  });

  it('a run that continues another workflow type creates no record', async (t) => {
    const build = await handOver(t, [{ ...progressOf(long_ago), ending: { status: 'COMPLETE' } }]);
    assert.equal((await build.end()).status, 'COMPLETED');
    assert.deepEqual(build.steps, ['checkCarriedInput', 'updateSuccessfulRecord', 'updateSuccessfulHistory']);
    assert.equal(build.argsOf('updateSuccessfulHistory')[0].may_create, false);
  });

  it('a run that continues another workflow type repeats the check of its input until it is answered', async (t) => {
    const busy = new Error('DynamoDB did not answer');
    const build = await handOver(t, [progressOf(long_ago)], { checkCarriedInput: [busy, busy, busy, FAULTS] });
    assert.deepEqual(faultsOf(await build.end()), { url: 'is missing' });
    assert.equal(build.attempts.length, 4);
  });

  it('a run that continues another workflow type, is cancelled meanwhile and has its input refused writes nothing', async (t) => {
    const check = new Held<'checkCarriedInput'>();
    const build = await handOver(t, [progressOf(long_ago)], { checkCarriedInput: always(check.answer) });
    await check.began();
    await build.handle.cancel();
    await build.untilEvent('workflowExecutionCancelRequestedEventAttributes');
    check.succeed(FAULTS);
    assert.deepEqual(faultsOf(await build.end()), { url: 'is missing' });
    // If a worker is late to renew its task, the attempt is made once more.
    assert.deepEqual(new Set(build.steps), new Set(['checkCarriedInput']));
  });
});

describe('forged search attributes of a start', () => {
  it("forged search attributes of a start are set from the input with the build's first step", async (t) => {
    const other = {
      AccountId: '999999999999',
      CorrelationId: 'request-of-another',
      BuildStatus: 'COMPLETE',
      DryRun: true,
    };
    const indexedFields = Object.fromEntries(
      Object.entries({ ...other, JobId: 'job-of-another' }).map(([name, value]) => {
        const payload = defaultPayloadConverter.toPayload(value);
        const type = searchAttributes[name as keyof typeof searchAttributes].type === 'BOOL' ? 'Bool' : 'Keyword';
        return [name, { ...payload, metadata: { ...payload.metadata, type: Buffer.from(type) } }];
      }),
    );
    const build = await environment.start(t, {}, { request: { searchAttributes: { indexedFields } }, skipWaits: true });
    await build.untilBegun('insertRequestHistory');
    const upserts = (await build.history()).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) =>
      upsert ? [upsert.searchAttributes?.indexedFields ?? {}] : [],
    );
    const [first = {}] = upserts.map((fields) =>
      Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [name, defaultPayloadConverter.fromPayload(value)]),
      ),
    );
    assert.equal(first['JobId'], build.jobId);
    assert.equal(first['AccountId'], build.input.build_body.account_id);
    assert.equal(first['CorrelationId'], build.input.correlation_id);
    assert.equal(first['BuildStatus'], 'IN_PROGRESS');
    assert.equal(first['DryRun'], false);
    assert.equal((await build.end()).status, 'COMPLETED');
  });
});
