import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { workflowIdOf } from '../../src/domain/identity.ts';
import {
  repairAll,
  only,
  sayYesToAll,
  startDoctorStack,
  type DoctorStack,
  type Job,
} from '../support/doctor-fixture.ts';
import { ACCOUNT, until, letSucceed } from '../support/stack.ts';

/** These run in series: each leaves the tables as they should be. */
describe('doctor', () => {
  let stack: DoctorStack;

  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  const errorOf = async ({ input }: Job) => {
    const { status, history } = await stack.records(input);
    assert.deepEqual(status?.['error_info'], history?.['error_info']);
    const { Error: name, Cause } = status?.['error_info']?.M ?? {};
    return { Error: name?.S, Cause: Cause?.S ?? '' };
  };

  it('doctor finds nothing if all is well, also with builds in progress, and says what it looked at', async () => {
    const running = await stack.startEndless('well-running');
    await stack.ended('well-complete');
    await stack.ended('well-failed', { polls: 0, outcome: 'FAILED' });
    // Temporal lists an execution a moment after it exists.
    await until('it has looked at all three executions', async () => {
      const { code, stdout, stderr } = await stack.doctor(['--fix', '--yes']);
      assert.equal(stdout, '');
      assert.equal(code, 0, stderr);
      assert.match(stderr, /looked at 3 status records, 3 history records, \d executions/);
      assert.match(stderr, /findings: 0, repaired: 0, left: 0/);
      assert.match(stderr, /search attributes needed: 8 Keyword, 2 more free; 1 Bool, 2 more free/);
      return stderr.includes(', 3 executions');
    });
    assert.deepEqual(await stack.statuses(running.input), ['IN_PROGRESS', 'IN_PROGRESS']);
    await stack.terminate(running);
    await repairAll(stack);
  });

  it('doctor does not report a build that moves on while doctor reads', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        stack.start(`moving-${i}`, { polls: i % 5, outcome: i % 2 ? 'FAILED' : 'SUCCEEDED' }),
      ),
    );
    const all = await Promise.all(Array.from({ length: 3 }, () => stack.doctor(['--fix', '--yes'])));
    for (const { code, stdout, stderr } of all) assert.deepEqual({ code, stdout }, { code: 0, stdout: '' }, stderr);
    for (const { input } of jobs) {
      await until('it has ended', async () => !(await stack.statuses(input)).includes('IN_PROGRESS'));
    }
    await repairAll(stack);
  });

  it('doctor repairs records whose workflow was terminated: FAILED, ExecutionLost, with the build ID and who did it', async () => {
    const job = await stack.terminated('terminated');
    const found = await stack.doctor();
    assert.equal(found.code, 1, found.stderr);
    const finding = only(found, job.input);
    assert.equal(finding.finding, 'WorkflowGone');
    assert.equal(finding.fixable, true);
    assert.equal(finding.job_id, job.jobId);
    assert.equal(finding.account_id, ACCOUNT);
    assert.equal(finding.workflow_id, workflowIdOf(ACCOUNT, job.input.ddb_composite_sort_key));
    assert.equal(finding.correlation_id, job.input.correlation_id);
    assert.match(finding.reason, /both records say IN_PROGRESS; the workflow was terminated by .+ \("by the test"\)/);
    assert.match(finding.fix, /set the status record to FAILED, ExecutionLost/);
    assert.deepEqual(await stack.statuses(job.input), ['IN_PROGRESS', 'IN_PROGRESS']);

    await repairAll(stack);
    const { status, history } = await stack.records(job.input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'FAILED');
      assert.equal(record?.['job_id']?.S, job.jobId);
      assert.equal(record?.['build_id']?.S, finding.build_id);
      assert.ok((record?.['updated_at']?.S ?? '') > (record?.['start_at']?.S ?? ''));
    }
    const { Error: name, Cause } = await errorOf(job);
    assert.equal(name, 'ExecutionLost');
    assert.match(Cause, /^(WaitForBuildStatus|GetBuildStatus): the workflow was terminated by .*not known$/);
  });

  it('doctor says that a build was never triggered if Temporal proves it, and creates the history record', async () => {
    stack.proxy.decide = ({ operation, request }) =>
      operation === 'PutItem' &&
      JSON.stringify(request).includes('"request-untriggered"') &&
      'request_id' in (request['Item'] as object)
        ? 'throttle'
        : undefined;
    const job = await stack.start('untriggered');
    await until('its status record is there', async () => (await stack.records(job.input)).status !== undefined);
    await until('its history record was tried', () => stack.proxy.calls.some(({ fault }) => fault === 'throttle'));
    await stack.terminate(job);
    stack.proxy.decide = () => undefined;
    const { findings } = await repairAll(stack);
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['WorkflowGone'],
    );
    assert.match((await errorOf(job)).Cause, /^InsertRequestHistory: .*; the build was never triggered$/);
    const { history } = await stack.records(job.input);
    assert.equal(history?.['trace_header']?.S, job.input.trace_header);
  });

  it('doctor writes the end that was decided if the workflow was terminated during its final record updates', async () => {
    stack.proxy.decide = ({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes('decided-') ? 'throttle' : undefined;
    const complete = await stack.start('decided-complete', { polls: 0 });
    const failed = await stack.start('decided-failed', { polls: 0, outcome: 'FAILED' });
    for (const { input } of [complete, failed]) {
      await until('a final record update is tried', () =>
        stack.proxy.callsFor(input.ddb_composite_sort_key).some(({ fault }) => fault === 'throttle'),
      );
    }
    await stack.terminate(complete);
    await stack.terminate(failed);
    stack.proxy.decide = () => undefined;
    const { findings } = await repairAll(stack);
    assert.equal(findings.length, 2);
    assert.deepEqual(await stack.statuses(complete.input), ['COMPLETE', 'COMPLETE']);
    assert.deepEqual(await stack.statuses(failed.input), ['FAILED', 'FAILED']);
    assert.equal((await errorOf(failed)).Error, 'BuildFailed');
    assert.equal((await stack.records(complete.input)).status?.['error_info'], undefined);
  });

  it('doctor repairs records whose workflow timed out', async () => {
    // Workers refuse a workflow that has a timeout, so no worker took this one, and its records are put by hand.
    const { input } = await stack.ended('timed-out');
    const workflowId = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
    const handle = await stack.client.workflow.start('roleBuild', {
      workflowId,
      taskQueue: 'nobody polls',
      args: [input],
      workflowExecutionTimeout: '1 s',
    });
    for (const table of ['status', 'history'] as const) {
      await stack.change(table, input, {
        job_id: { S: handle.firstExecutionRunId },
        start_at: { S: new Date().toISOString() },
        status: { S: 'IN_PROGRESS' },
        build_id: undefined,
      });
    }
    await assert.rejects(handle.result());
    const { findings } = await repairAll(stack);
    assert.equal(findings[0]?.workflow_id, workflowId);
    assert.match(findings[0]?.reason ?? '', /the workflow timed out/);
    assert.match((await errorOf({ input, jobId: handle.firstExecutionRunId })).Cause, /timed out/);
  });

  it('doctor repairs records whose workflow Temporal no longer has', async () => {
    const job = await stack.terminated('forgotten');
    await stack.forget(job);
    const { findings } = await sayYesToAll(stack);
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['WorkflowGone'],
    );
    assert.match(findings[0]?.reason ?? '', /not known to Temporal \(any more\) in namespace \S+/);
    assert.equal((await errorOf(job)).Error, 'ExecutionLost');
  });

  it('doctor repairs records that agree with each other but not with how the workflow ended', async () => {
    const complete = await stack.ended('differs-complete');
    const failed = await stack.ended('differs-failed', { polls: 0, outcome: 'FAILED' });
    const cancelled = await stack.startEndless('differs-cancelled');
    await stack.cli(['cancel', '--job-id', cancelled.jobId, '--wait']);
    const lost = { M: { Error: { S: 'ExecutionLost' }, Cause: { S: 'by hand' } } };
    for (const table of ['status', 'history'] as const) {
      await stack.change(table, complete.input, { status: { S: 'FAILED' }, error_info: lost });
      await stack.change(table, failed.input, { status: { S: 'COMPLETE' }, error_info: undefined });
      await stack.change(table, cancelled.input, { status: { S: 'IN_PROGRESS' } });
    }
    const { findings } = await repairAll(stack);
    assert.deepEqual(findings.map(({ finding }) => finding).sort(), ['EndsDiffer', 'EndsDiffer', 'WorkflowGone']);
    assert.deepEqual(await stack.statuses(complete.input), ['COMPLETE', 'COMPLETE']);
    assert.equal((await stack.records(complete.input)).history?.['error_info'], undefined);
    assert.deepEqual(await stack.statuses(failed.input), ['FAILED', 'FAILED']);
    assert.equal((await errorOf(failed)).Error, 'BuildFailed');
    assert.deepEqual(await stack.statuses(cancelled.input), ['CANCELLED', 'CANCELLED']);
  });

  it('doctor takes the end that one record has if Temporal has none, and does not guess if both records differ', async () => {
    const half = await stack.ended('half');
    await stack.forget(half);
    await stack.change('history', half.input, { status: { S: 'IN_PROGRESS' }, build_id: undefined });
    const [{ finding, fix } = {}] = (await sayYesToAll(stack)).findings;
    assert.equal(finding, 'EndsDiffer');
    assert.equal(fix, 'set the history record to COMPLETE');
    const { status, history } = await stack.records(half.input);
    assert.equal(history?.['status']?.S, 'COMPLETE');
    assert.deepEqual(history?.['build_id'], status?.['build_id']);

    await stack.change('history', half.input, { status: { S: 'CANCELLED' } });
    const left = await stack.doctor(['--fix', '--yes']);
    assert.equal(left.code, 1, left.stderr);
    const one = only(left, half.input);
    assert.deepEqual([one.finding, one.fixable, one.result], ['EndsDiffer', false, 'left alone']);
    assert.match(one.fix, /--ask-api/);
    assert.deepEqual(await stack.statuses(half.input), ['COMPLETE', 'CANCELLED']);
    await stack.change('history', half.input, { status: { S: 'COMPLETE' } });
  });

  it('doctor creates a record that one table lacks, if enough is known about it', async () => {
    const job = await stack.ended('lacking', { polls: 0, outcome: 'FAILED' });
    const was = await stack.records(job.input);
    const likeBefore = async () => {
      const { status, history } = await stack.records(job.input);
      for (const [is, expected] of [
        [status, was.status],
        [history, was.history],
      ]) {
        assert.deepEqual({ ...is, updated_at: null }, { ...expected, updated_at: null });
      }
    };
    await stack.remove('history', job.input);
    assert.equal(only(await repairAll(stack), job.input).finding, 'RecordMissing');
    await likeBefore();
    await stack.remove('status', job.input);
    assert.equal(only(await repairAll(stack), job.input).finding, 'RecordMissing');
    await likeBefore();

    await stack.forget(job);
    await stack.remove('history', job.input);
    await sayYesToAll(stack);
    await likeBefore();
    await stack.remove('status', job.input);
    const left = await stack.doctor(['--fix', '--yes']);
    assert.equal(left.code, 1, left.stderr);
    assert.equal(only(left, job.input).fixable, false);
    await stack.remove('history', job.input);
  });

  it('doctor creates the records of a workflow that runs without them, and the workflow then ends as it should', async () => {
    const { input } = await stack.startEndless('recordless');
    await stack.remove('status', input);
    await stack.remove('history', input);
    const repaired = await stack.doctor(['--fix', '--yes']);
    assert.deepEqual(
      repaired.of(input).map(({ finding, table, result }) => [finding, table, result]),
      [
        ['WorkflowWithoutRecord', 'iam_orchestrator_execution_status', 'mended'],
        ['WorkflowWithoutRecord', 'iam_orchestrator_request_history', 'mended'],
      ],
    );
    assert.equal(repaired.code, 0, repaired.stderr);
    letSucceed(stack, input);
    await until('it has ended', async () => (await stack.statuses(input)).every((status) => status === 'COMPLETE'));
    await repairAll(stack);
  });

  it('doctor sets a record back to IN_PROGRESS if it has an end while its workflow runs', async () => {
    const job = await stack.startEndless('hasty');
    await stack.change('history', job.input, { status: { S: 'FAILED' } });
    await stack.change('status', job.input, { status: { S: 'PENDING' } });
    const repaired = await stack.doctor(['--fix', '--yes']);
    assert.equal(only(repaired, job.input).finding, 'StatusUnknown');
    assert.deepEqual(await stack.statuses(job.input), ['IN_PROGRESS', 'IN_PROGRESS']);
    await stack.change('history', job.input, { status: { S: 'FAILED' } });
    assert.equal(only(await stack.doctor(['--fix', '--yes']), job.input).finding, 'EndsDiffer');
    assert.deepEqual(await stack.statuses(job.input), ['IN_PROGRESS', 'IN_PROGRESS']);
    await stack.cli(['cancel', '--job-id', job.jobId, '--wait']);
    assert.deepEqual(await stack.statuses(job.input), ['CANCELLED', 'CANCELLED']);
  });

  it("doctor repairs an older job's history record, and never touches a newer job's", async () => {
    const old = await stack.terminated('again');
    const newer = await stack.startEndless('again', { correlation_id: 'request-again-2' });
    const { status: untouched } = await stack.records(newer.input);
    const repaired = await stack.doctor(['--fix', '--yes']);
    assert.equal(repaired.code, 0, repaired.stdout);
    assert.deepEqual(
      repaired.findings.map(({ finding, job_id, fix }) => [finding, job_id, fix.split(';')[0]]),
      [['WorkflowGone', old.jobId, 'set the history record to FAILED, ExecutionLost']],
    );
    const { status, history } = await stack.records(old.input);
    assert.deepEqual(status, untouched);
    assert.equal(history?.['status']?.S, 'FAILED');
    await stack.terminate(newer);
    await repairAll(stack);
  });

  it('doctor finds the last run of a job that was reset', async () => {
    const job = await stack.startEndless('reset');
    const workflowExecution = { workflowId: workflowIdOf(ACCOUNT, 'iam_role#reset'), runId: job.jobId };
    const { history } = await stack.client.workflow
      .getHandle(workflowExecution.workflowId)
      .fetchHistory()
      .then((h) => ({ history: h }));
    const task = (history.events ?? []).filter(({ workflowTaskCompletedEventAttributes: done }) => done).at(-1);
    await stack.client.workflowService.resetWorkflowExecution({
      namespace: stack.temporal.namespace,
      workflowExecution,
      reason: 'by the test',
      requestId: 'reset',
      workflowTaskFinishEventId: task?.eventId ?? null,
    });
    assert.deepEqual((await stack.doctor()).of(job.input), []);
    await stack.cli(['cancel', ACCOUNT, 'iam_role#reset', '--wait']);
    assert.deepEqual(await stack.statuses(job.input), ['CANCELLED', 'CANCELLED']);
    await repairAll(stack);
  });

  it('doctor reports no job whose records had an end too early, by a reset or by hand, and have the right end now', async () => {
    const assertComplete = async ({ input }: Job) => {
      await until('both records say COMPLETE', async () =>
        (await stack.statuses(input)).every((status) => status === 'COMPLETE'),
      );
      const { status, history } = await stack.records(input);
      for (const record of [status, history]) assert.equal(record?.['error_info'], undefined);
      assert.deepEqual((await stack.doctor()).of(input), []);
    };

    const reset = await stack.ended('reset-after-failed', { polls: 0, outcome: 'FAILED' });
    const workflowId = workflowIdOf(ACCOUNT, reset.input.ddb_composite_sort_key);
    const { events = [] } = await stack.client.workflow.getHandle(workflowId).fetchHistory();
    const waited = (events ?? []).findIndex((event) => event.timerFiredEventAttributes);
    const poll = (events ?? []).slice(waited).find((event) => event.workflowTaskCompletedEventAttributes);
    letSucceed(stack, reset.input);
    await stack.client.workflowService.resetWorkflowExecution({
      namespace: stack.temporal.namespace,
      workflowExecution: { workflowId, runId: reset.jobId },
      reason: 'by the test',
      requestId: 'reset-after-failed',
      workflowTaskFinishEventId: poll?.eventId ?? null,
    });
    await assertComplete(reset);

    const early = await stack.startEndless('ended-early');
    const end = { status: { S: 'FAILED' }, error_info: { M: { Error: { S: 'ExecutionLost' }, Cause: { S: 'x' } } } };
    for (const table of ['status', 'history'] as const) await stack.change(table, early.input, end);
    letSucceed(stack, early.input);
    await assertComplete(early);
  });
});
