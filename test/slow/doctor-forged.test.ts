/** `doctor` and the commands about one build, beside forged workflows of other clients and in a namespace that did not run the builds. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WorkflowFailedError, type WorkflowStartOptions } from '@temporalio/client';
import { defaultPayloadConverter, TypedSearchAttributes } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { searchAttributes, workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { only, startDoctorStack, type DoctorStack, type Job } from '../support/doctor-fixture.ts';
import { ACCOUNT, inputFor, parseJson, until } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

describe('a forged workflow', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  /** Open and closed workflows that claim to be a job and a request, on a task queue without a worker. */
  async function forge(
    claims: { jobId?: string; correlationId?: string },
    workflowIds: readonly string[],
    more: Partial<WorkflowStartOptions> = {},
  ) {
    const forged = await Promise.all(
      workflowIds.map((workflowId, i) =>
        stack.client.workflow.start('roleBuild', {
          workflowId,
          taskQueue: 'of-nobody',
          args: [inputFor(stack, `forged-${i}`)],
          ...more,
          typedSearchAttributes: new TypedSearchAttributes([
            ...(claims.jobId === undefined ? [] : [{ key: searchAttributes.JobId, value: claims.jobId }]),
            ...(claims.correlationId === undefined
              ? []
              : [{ key: searchAttributes.CorrelationId, value: claims.correlationId }]),
          ]),
        }),
      ),
    );
    const query = Object.entries({ JobId: claims.jobId, CorrelationId: claims.correlationId })
      .flatMap(([name, value]) => (value === undefined ? [] : [`${name} = '${value}'`]))
      .join(' AND ');
    await until('visibility has them', async () => (await stack.client.workflow.count(query)).count >= forged.length);
    return forged;
  }
  const ids = (name: string) => [
    `another:${name}`,
    workflowIdOf(ACCOUNT, `iam_role#forged-${name}`),
    ...Array.from({ length: 20 }, (_, i) => `${name}-${i}`),
  ];
  const statusOf = async (...args: string[]) => {
    const result = await stack.cli(['status', ...args, '--json']);
    return { code: result.code, json: parseJson(result), stderr: result.stderr };
  };

  it('a forged workflow is not taken by doctor for a lost job, neither while it runs nor when it has ended', async () => {
    const job = await stack.terminated('claimed');
    await stack.forget(job);
    const forged = await forge({ jobId: job.jobId }, ids('claimed'));
    const open = only(await stack.doctor(), job.input);
    assert.deepEqual([open.finding, open.status], ['WorkflowGone', 'IN_PROGRESS']);
    assert.match(open.reason, /is not known to Temporal/);
    for (const handle of forged) await handle.terminate('by the forger');
    const closed = only(await stack.doctor(), job.input);
    assert.match(closed.reason, /is not known to Temporal/);
    assert.doesNotMatch(closed.reason, /forger/);
    assert.equal(closed.workflow_id, workflowIdOf(ACCOUNT, 'iam_role#claimed'));
    for (const table of ['status', 'history'] as const) await stack.remove(table, job.input);
  });

  it('a forged workflow does not hide the real one from doctor if the record lacks account and role', async () => {
    const job = await stack.terminated('hidden');
    const forged = await forge({ jobId: job.jobId }, ids('hidden'));
    await stack.change('history', job.input, { account_id: undefined, resource: undefined });
    await stack.remove('status', job.input);
    const { of } = await stack.doctor(['--fix', '--yes']);
    const gone = of(job.input).find(({ finding }) => finding === 'WorkflowGone');
    assert.match(gone?.reason ?? '', /was terminated by .* \("by the test"\)/);
    assert.equal(gone?.result, 'mended');
    assert.deepEqual(await stack.statuses(job.input), ['FAILED', 'FAILED']);
    for (const handle of forged) await handle.terminate();
    await exitsWith(0, stack.doctor());
  });

  it("a forged workflow of another type under the build's ID is no build to doctor, status and cancel", async () => {
    const job = await stack.ended('other-type');
    await stack.remove('status', job.input);
    const workflowId = workflowIdOf(ACCOUNT, job.input.ddb_composite_sort_key);
    const handle = await stack.client.workflow.start('another', { workflowId, taskQueue: 'of-nobody', args: [] });
    const { code, stderr } = await stack.doctor(['--fix', '--yes']);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
    const { json } = await statusOf(ACCOUNT, job.input.ddb_composite_sort_key);
    assert.deepEqual([json['status'], json['job_id']], ['COMPLETE', job.jobId]);
    for (const name of [
      [ACCOUNT, job.input.ddb_composite_sort_key],
      ['--workflow-id', workflowId],
    ]) {
      await exitsWith(4, stack.cli(['cancel', ...name]));
    }
    assert.equal((await handle.describe()).raw.workflowExecutionInfo?.status, 1);
    await handle.terminate();
  });

  it('a forged workflow is not found by --job-id', async () => {
    const job = await stack.startEndless('by-job');
    const forged = await forge({ jobId: job.jobId }, ids('by-job'));
    const { code, json } = await statusOf('--job-id', job.jobId);
    assert.deepEqual([code, json['job_id'], json['resource']], [0, job.jobId, 'iam_role#by-job']);
    await exitsWith(0, stack.cli(['cancel', '--job-id', job.jobId, '--wait']));
    assert.deepEqual(await stack.statuses(job.input), ['CANCELLED', 'CANCELLED']);

    const nobodys = '01a2286f-5bb7-7342-8031-2f1fe3bea523';
    const more = await forge({ jobId: nobodys }, ids('by-no-job'));
    for (const command of ['status', 'cancel', 'watch', 'resume', 'open']) {
      const { code: none, stderr } = await stack.cli([command, '--job-id', nobodys]);
      assert.equal(none, 4, `${command}: ${stderr}`);
    }
    for (const handle of [...forged, ...more]) await handle.terminate();
  });

  it("a forged workflow is not found by --correlation-id, with or without the build's history record", async () => {
    const job = await stack.startEndless('by-request');
    const forged = await forge({ correlationId: job.input.correlation_id }, ids('by-request'));
    const named = ['--correlation-id', job.input.correlation_id];
    assert.equal((await statusOf(...named)).json['job_id'], job.jobId);
    await stack.remove('history', job.input);
    assert.equal((await statusOf(...named)).json['job_id'], job.jobId);
    await exitsWith(0, stack.cli(['cancel', ...named, '--wait']));
    await stack.remove('history', job.input);
    for (const handle of forged) await handle.terminate();
    await until('visibility has its end', async () => (await statusOf(...named)).json['status'] === 'CANCELLED');
  });

  it('a forged workflow with an unreadable input or memo hides no build from list, watch, status, start and doctor', async (t) => {
    const { workflowService } = stack.client;
    const noValue = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('not JSON') };
    const metadata = { 'encryption-format': '1', 'encryption-key-id': 'theirs', 'temporal-namespace': 'theirs' };
    const encrypted = {
      metadata: Object.fromEntries(
        Object.entries({ encoding: 'binary/encrypted', ...metadata }).map(([name, text]) => [name, Buffer.from(text)]),
      ),
      data: Buffer.from('not ours'),
    };
    const noEncoding = { metadata: { encoding: Buffer.from('json/odd') } };
    const starts = { 'no-input': noValue, 'no-encoding': noEncoding, encrypted };
    const names = Object.keys(starts);
    const runs = await Promise.all(
      Object.entries(starts).map(([name, payload]) =>
        workflowService.startWorkflowExecution({
          namespace: stack.temporal.namespace,
          workflowId: workflowIdOf(ACCOUNT, `iam_role#${name}`),
          workflowType: { name: 'roleBuild' },
          taskQueue: { name: 'of-nobody' },
          requestId: crypto.randomUUID(),
          input: { payloads: [payload] },
          memo: { fields: { contested: payload } },
          searchAttributes: {
            indexedFields: {
              JobId: { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"of-another"') },
            },
          },
        }),
      ),
    );
    await until('visibility has them', async () => {
      return (await stack.client.workflow.count("JobId = 'of-another'")).count >= names.length;
    });
    const job = await stack.ended('beside-no-values');
    await stack.untilListed(job.jobId);
    const { code, stdout, stderr } = await stack.cli(['list', '--json', '--limit', '0']);
    assert.equal(code, 0, stderr);
    const jobs = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { job_id: string }).job_id);
    // A job's ID is its first run's, whatever the search attribute says.
    for (const id of [job.jobId, ...runs.map(({ runId }) => runId)]) assert.ok(jobs.includes(id ?? ''), stdout);
    const { code: shown, json } = await statusOf(ACCOUNT, 'iam_role#no-input');
    assert.deepEqual([shown, json['status'], json['job_id']], [0, 'IN_PROGRESS', runs[0]?.runId]);
    let watched = '';
    const watch = stack.startCli(['watch', '--status', 'IN_PROGRESS', '--json'], {
      onStdout: (chunk) => (watched += chunk),
    });
    t.after(() => watch.kill('SIGKILL'));
    await until('all are watched', () => runs.every(({ runId }) => watched.includes(`"job_id":"${runId}"`)));
    watch.kill('SIGINT');
    await exitsWith(130, watch.result);
    const examined = await stack.doctor();
    assert.equal(examined.code, 1, examined.stderr);
    const found = names.flatMap((name) => examined.findings.filter(({ resource }) => resource === `iam_role#${name}`));
    assert.deepEqual(
      found.map(({ finding, resource }) => [finding, resource]),
      [['WorkflowUnreadable', 'iam_role#encrypted']],
    );
    assert.match(found[0]?.fix ?? '', /^terminate the workflow if it is no build of yours$/);
    const again = { stdin: JSON.stringify(inputFor(stack, 'encrypted')) };
    await exitsWith(3, stack.cli(['start', '--input', '-'], again));
    for (const name of names) {
      await stack.client.workflow.getHandle(workflowIdOf(ACCOUNT, `iam_role#${name}`)).terminate();
    }
    await stack.change('status', job.input, {
      job_id: { S: runs.at(-1)?.runId ?? '' },
      status: { S: 'IN_PROGRESS' },
    });
    const closed = (await stack.doctor()).findings.find(({ finding }) => finding === 'WorkflowUnreadable');
    assert.match(closed?.fix ?? '', /it has closed, and goes with Temporal's retention$/);
    for (const table of ['status', 'history'] as const) await stack.remove(table, job.input);
  });

  /** Starts a workflow whose own worker answers `upsertRequestRecord` without a put. */
  async function forgePut(workflowId: string, input: RoleBuildInput) {
    const { workflowService } = stack.client;
    const { namespace } = stack.temporal;
    const taskQueue = { name: `theirs ${workflowId}` };
    const handle = await stack.client.workflow.start('roleBuild', {
      workflowId,
      taskQueue: taskQueue.name,
      args: [input],
      typedSearchAttributes: new TypedSearchAttributes([{ key: searchAttributes.JobId, value: 'of-a-forger' }]),
    });
    const within = <T>(poll: () => Promise<T>) => stack.client.connection.withDeadline(Date.now() + 60_000, poll);
    const { taskToken } = await within(() => workflowService.pollWorkflowTaskQueue({ namespace, taskQueue }));
    const scheduleActivityTaskCommandAttributes = {
      activityId: '1',
      activityType: { name: 'upsertRequestRecord' },
      taskQueue,
      startToCloseTimeout: msToTs('1 minute'),
      scheduleToCloseTimeout: msToTs('1 minute'),
    };
    const commands = [{ commandType: 1, scheduleActivityTaskCommandAttributes }];
    await workflowService.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
    const task = await within(() => workflowService.pollActivityTaskQueue({ namespace, taskQueue }));
    const result = { payloads: [defaultPayloadConverter.toPayload(null)] };
    await workflowService.respondActivityTaskCompleted({ namespace, taskToken: task.taskToken, result });
    // Waits for its run ID, because the workflow ID can be a build's that is already listed.
    await stack.untilListed(handle.firstExecutionRunId);
    return handle;
  }

  it('a forged workflow makes doctor --fix --yes take no record from a build, whatever the workflow says it has put', async () => {
    const job = await stack.ended('taken');
    const own = workflowIdOf(ACCOUNT, job.input.ddb_composite_sort_key);
    for (const [workflowId, isDoubted] of [
      ['anything', false],
      [own, true],
    ] as const) {
      const handle = await forgePut(workflowId, job.input);
      const { of, stderr } = await stack.doctor(['--fix', '--yes']);
      const found = of(job.input).map(({ finding, doubtful, result }) => ({ finding, doubtful, result }));
      const doubted = { finding: 'WorkflowWithoutRecord', doubtful: true, result: 'left alone' };
      assert.deepEqual(found, isDoubted ? [doubted] : [], stderr);
      assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
      await handle.terminate();
    }
  });

  it('a forged workflow with a memo of two megabytes hides no build from list', async () => {
    const forged = await forge({ jobId: 'of-another-with-memo' }, ['memo-1', 'memo-2', 'memo-3'], {
      memo: { note: 'x'.repeat(1_900_000) },
    });
    await exitsWith(0, stack.cli(['list', '--limit', '0']));
    await Promise.all(forged.map((handle) => handle.terminate()));
  });

  it('a forged workflow is not chosen if two builds match one request and no record says which', async () => {
    const correlation_id = 'request-twice';
    const jobs: Job[] = [];
    for (const name of ['twice-a', 'twice-b']) jobs.push(await stack.startEndless(name, { correlation_id }));
    const ofRequest = `CorrelationId = '${correlation_id}'`;
    await until('visibility has both', async () => (await stack.client.workflow.count(ofRequest)).count === 2);
    // The first has the record, and the second has failed for it: what it writes last does not come after the removal below.
    const second = workflowIdOf(ACCOUNT, jobs[1]?.input.ddb_composite_sort_key ?? '');
    await assert.rejects(stack.client.workflow.getHandle(second).result(), WorkflowFailedError);
    const { json } = await statusOf('--correlation-id', correlation_id);
    assert.equal(json['job_id'], jobs[0]?.jobId);
    await stack.remove('history', jobs[0]?.input ?? inputFor(stack, ''));
    const { code, json: refused, stderr } = await statusOf('--correlation-id', correlation_id);
    assert.equal(code, 2, stderr);
    assert.deepEqual(
      (refused['workflow_ids'] as string[]).toSorted(),
      jobs.map(({ input }) => workflowIdOf(ACCOUNT, input.ddb_composite_sort_key)),
    );
    assert.match(stderr, /ACCOUNT RESOURCE or --job-id/);
    await stack.terminate(jobs[0] as Job);
    for (const { input } of jobs) for (const table of ['status', 'history'] as const) await stack.remove(table, input);
  });
});

describe('doctor in a namespace that did not run the builds', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
    await stack.client.workflowService.registerNamespace({
      namespace: 'other',
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await until('the namespace is there', async () => (await stack.cli(['setup'], inOther)).code === 0);
  });
  after(() => stack.stop());
  const inOther = { settings: { TEMPORAL_NAMESPACE: 'other' } };

  it('doctor in a namespace that did not run the builds repairs only what a person says yes to, however old the records are', async () => {
    const young = await stack.startEndless('young');
    const old = await stack.startEndless('old');
    const undated = await stack.startEndless('undated');
    const ended = await stack.ended('ended');
    await stack.remove('history', ended.input);
    for (const table of ['status', 'history'] as const) {
      await stack.change(table, old.input, { start_at: { S: '2025-01-01T00:00:00.000Z' } });
      await stack.change(table, undated.input, { start_at: { S: 'in spring' } });
    }
    const all = [young, old, undated, ended];
    const was = await Promise.all(all.map(({ input }) => stack.records(input)));
    const left = await stack.doctor(['--fix', '--yes'], inOther);
    assert.equal(left.code, 1, left.stderr);
    for (const { input } of all) {
      const found = left.of(input).find(({ finding }) => ['WorkflowGone', 'RecordMissing'].includes(finding));
      assert.deepEqual([found?.fixable, found?.doubtful, found?.result], [true, true, 'left alone']);
      assert.match(found?.reason ?? '', /it ran in another namespace or on another server/);
    }
    assert.match(left.stderr, /4 of them in doubt, which --yes does not confirm/);
    assert.deepEqual(await Promise.all(all.map(({ input }) => stack.records(input))), was);

    // Each is asked about, even after "all".
    const asked = await stack.doctor(['--fix'], { ...inOther, stdin: 'all\nn\n' });
    assert.equal(asked.findings.filter(({ result }) => result === 'mended').length, 1);
    assert.equal(asked.code, 1, asked.stderr);
    const repaired = await stack.doctor(['--fix'], { ...inOther, stdin: 'y\n'.repeat(20) });
    assert.equal(
      repaired.findings.filter(({ finding, result }) => finding === 'WorkflowGone' && result !== 'mended').length,
      0,
    );
    assert.deepEqual(await stack.statuses(young.input), ['FAILED', 'FAILED']);
  });
});
