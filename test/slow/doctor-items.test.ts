import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FORGETS_AT_ONCE } from '../support/shared-temporal.ts';
import { repairAll, only, startDoctorStack, type DoctorStack } from '../support/doctor-fixture.ts';
import { ACCOUNT, inputFor, parseJson, until, type RawItem } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

/** Puts a pair of records by hand. */
function pair(name: string, attributes: { job_id: string; start_at: string; status: string }): [RawItem, RawItem] {
  const common = {
    account_id: { S: ACCOUNT },
    resource: { S: `iam_role#${name}` },
    action: { S: 'create' },
    job_id: { S: attributes.job_id },
    start_at: { S: attributes.start_at },
    status: { S: attributes.status },
    trace_header: { S: 'Root=1' },
  };
  return [
    {
      ...common,
      build_type: { S: 'iam_role' },
      custom_role_name: { S: name },
      dry_run: { BOOL: false },
      correlation_id: { S: `request-${name}` },
    },
    { ...common, request_id: { S: `request-${name}` } },
  ];
}

describe('doctor, with items of every kind', () => {
  let stack: DoctorStack;

  before(async () => {
    const dynamicConfig = { ...FORGETS_AT_ONCE, 'limit.historyCount.suggestContinueAsNew': 40 };
    stack = await startDoctorStack({ temporal: { dynamicConfig } });
    await stack.startWorker();
  });
  after(() => stack.stop());

  it("doctor leaves Step Functions' records alone, whatever they say, and counts those in progress", async () => {
    const job_id = 'arn:aws:states:eu-west-1:123456789012:execution:role-builds:1';
    const [status, history] = pair('original', { job_id, start_at: '2020-01-01T00:00:00.000Z', status: 'IN_PROGRESS' });
    const input = inputFor(stack, 'original');
    await stack.put('status', status);
    await stack.put('history', history);
    const was = await stack.records(input);
    for (const [count, statusSays, historySays] of [
      [2, 'IN_PROGRESS', 'IN_PROGRESS'],
      [1, 'COMPLETE', 'IN_PROGRESS'],
      [0, 'COMPLETE', 'FAILED'],
    ] as const) {
      await stack.change('status', input, { status: { S: statusSays } });
      await stack.change('history', input, { status: { S: historySays } });
      const { code, stdout, stderr } = await stack.doctor(['--fix', '--yes']);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
      assert.match(stderr, new RegExp(`${count} records of Step Functions IN_PROGRESS left alone`));
    }
    await stack.change('status', input, { status: { S: 'IN_PROGRESS' } });
    await stack.change('history', input, { status: { S: 'IN_PROGRESS' } });
    assert.deepEqual(await stack.records(input), was);
    await stack.remove('history', input);
    await exitsWith(0, stack.doctor());
    await stack.remove('status', input);
  });

  it("doctor fills in the state machine's attributes that a record lacks, if Temporal still has them", async () => {
    const { input } = await stack.ended('whole');
    const was = await stack.records(input);
    await stack.change('status', input, {
      dry_run: { S: 'false' },
      build_type: undefined,
      start_at: { S: 'yesterday' },
    });
    await stack.change('history', input, { action: { N: '1' }, account_id: undefined });
    const repaired = await repairAll(stack);
    assert.deepEqual(
      repaired.of(input).map(({ finding, table, reason }) => [finding, table, reason]),
      [
        [
          'AttributeMissing',
          'iam_orchestrator_execution_status',
          'the status record is not whole: build_type is missing; dry_run is not a boolean; start_at is not a time in ISO 8601, UTC',
        ],
        [
          'AttributeMissing',
          'iam_orchestrator_request_history',
          'the history record is not whole: account_id is missing; action is not text',
        ],
      ],
    );
    assert.deepEqual(await stack.records(input), was);
  });

  it('doctor reports items that are not records, and goes on', async () => {
    const resource = (name: string) => ({ account_id: { S: ACCOUNT }, resource: { S: name } });
    const items: RawItem[] = [
      resource('nothing else'),
      { ...resource('numbers'), job_id: { N: '12345678901234567890123456789' }, status: { N: '1e100' } },
      { ...resource('sets'), job_id: { SS: ['a'] }, status: { NS: ['1'] }, start_at: { B: new Uint8Array([1]) } },
      {
        ...resource('r'.repeat(1_000)),
        job_id: { S: 'j' },
        status: { S: 'IN_PROGRESS' },
        correlation_id: { S: 'c'.repeat(3_000) },
      },
      { ...resource('odd ID'), job_id: { S: "' OR 1 = 1 \n" }, status: { S: 'COMPLETE' }, correlation_id: { S: '' } },
      { account_id: { S: 'no account' }, resource: { S: '\u0000\u202e' }, job_id: { S: '' }, status: { NULL: true } },
      {
        ...resource('maps'),
        job_id: { M: {} },
        status: { L: [] },
        correlation_id: { M: { S: { S: 'x' } } },
        dry_run: { NULL: true },
      },
    ];
    for (const item of items) await stack.put('status', item);
    await stack.put('history', { request_id: { S: 'nothing else' } });
    await stack.put('history', {
      request_id: { S: 'odd' },
      job_id: { BOOL: true },
      // account_id can't be of another type: it is a key of the history table's index.
      action: { N: '1' },
      status: { S: 'DONE' },
    });
    const { code, findings, stderr } = await stack.doctor(['--fix', '--yes']);
    assert.equal(code, 1, stderr);
    assert.deepEqual(
      new Set(findings.map(({ resource: of, correlation_id }) => of ?? correlation_id)),
      new Set([...items.map((item) => item['resource']?.S), 'nothing else', 'odd']),
    );
    const people = await stack.cli(['doctor']);
    assert.equal(people.code, 1, people.stderr);
    assert.ok(!people.stdout.includes('\u202e') && !people.stdout.includes('\u0000'));
    for (const item of items)
      await stack.remove(
        'status',
        inputFor(
          stack,
          '',
          {},
          {
            ddb_composite_sort_key: item['resource']?.S ?? '',
            build_body: { account_id: item['account_id']?.S ?? '' } as never,
          },
        ),
      );
    for (const correlation_id of ['nothing else', 'odd'])
      await stack.remove('history', inputFor(stack, '', {}, { correlation_id }));
    await exitsWith(0, stack.doctor());
  });

  it('doctor reports an unknown status, and a start_at in the future, which would refuse every newer build', async () => {
    const job = await stack.ended('unknown');
    await stack.change('status', job.input, { status: { S: 'DONE' } });
    const { of } = await repairAll(stack);
    assert.deepEqual(
      of(job.input).map(({ finding }) => finding),
      ['StatusUnknown'],
    );
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);

    const start_at = { S: new Date(Date.now() + 3_600_000).toISOString() };
    for (const table of ['status', 'history'] as const) await stack.change(table, job.input, { start_at });
    const left = await stack.doctor(['--fix', '--yes']);
    assert.equal(left.code, 1, left.stderr);
    const finding = only(left, job.input);
    assert.deepEqual([finding.finding, finding.fixable], ['ClocksApart', false]);
    assert.match(finding.reason, /lies in the future: until then no newer build/);
    for (const table of ['status', 'history'] as const) await stack.remove(table, job.input);
  });

  it('doctor leaves a request ID that two builds share to the one that holds its record', async () => {
    const first = await stack.ended('sharing');
    const second = inputFor(stack, 'sharing-too', {}, { correlation_id: first.input.correlation_id });
    assert.equal((await stack.build(second)).json['status'], 'FAILED');
    const { code, stdout } = await stack.doctor();
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
  });

  it("doctor goes on past a workflow whose input is not a build's", async () => {
    const handle = await stack.client.workflow.start('roleBuild', {
      workflowId: 'no input',
      taskQueue: 'role-builds',
      args: [{ build_body: null, ddb_composite_sort_key: 'x' }],
    });
    assert.deepEqual((await stack.doctor()).findings, []);
    await assert.rejects(handle.result());
    await exitsWith(0, stack.doctor());
  });

  it('doctor reports two records with different reasons, and writes the one that Temporal has', async () => {
    const { input } = await stack.ended('reasons', { polls: 0, outcome: 'FAILED' });
    const was = await stack.records(input);
    await stack.change('history', input, { error_info: { M: { Error: { S: 'ExecutionLost' }, Cause: { S: 'x' } } } });
    const { of } = await repairAll(stack);
    assert.deepEqual(
      of(input).map(({ finding, fix }) => [finding, fix]),
      [['EndsDiffer', 'set the history record to FAILED, BuildFailed']],
    );
    assert.deepEqual((await stack.records(input)).history?.['error_info'], was.history?.['error_info']);
  });

  it('doctor removes an earlier error_info from a record that says COMPLETE, whatever it is', async () => {
    const { input } = await stack.ended('error-info-left');
    const was = await stack.records(input);
    for (const [table, error_info] of [
      ['status', { M: { Error: { S: 'BuildFailed' }, Cause: { S: 'x' } } }],
      ['history', { S: 'quota' }],
      ['history', { NULL: true }],
    ] as const) {
      await stack.change(table, input, { error_info });
      const { of } = await repairAll(stack);
      assert.deepEqual(
        of(input).map(({ finding, fix }) => [finding, fix]),
        [['EndsDiffer', `set the ${table} record to COMPLETE, without error_info`]],
      );
      const { updated_at: _, ...rest } = (await stack.records(input))[table] ?? {};
      const { updated_at: __, ...asItWas } = was[table] ?? {};
      assert.deepEqual(rest, asItWas);
    }
  });

  it('doctor ignores older jobs of a request that was started again', async () => {
    const { input } = await stack.ended('asked-again', { polls: 0, outcome: 'FAILED' });
    await stack.build({ ...input, build_body: { ...input.build_body, simulate: { polls: 0 } } });
    await exitsWith(0, stack.doctor());
  });

  it('doctor finds the build_id of a job that was lost after it had continued as new', async () => {
    const job = await stack.start('long', { outcome: 'NEVER' });
    await until('it has continued as new', () => stack.buildApi.requests(job.input.correlation_id).length >= 12);
    const [build] = stack.buildApi.builds().filter(({ correlation_id }) => correlation_id === job.input.correlation_id);
    assert.deepEqual((await stack.doctor()).findings, []);
    await stack.terminate(job);
    // A newer job of the same resource: the workflow ID no longer leads to the lost one.
    const newer = await stack.startEndless('long', { correlation_id: 'request-long-2' });
    // Retention deletes the runs one by one.
    await stack.forget(job);
    const byJob = await stack.cli(['status', '--job-id', job.jobId, '--json']);
    assert.deepEqual([parseJson(byJob)['job_id'], parseJson(byJob)['status']], [job.jobId, 'TERMINATED']);
    const repaired = await stack.doctor(['--fix', '--yes']);
    const finding = only(repaired, job.input);
    assert.deepEqual([finding.finding, finding.build_id, finding.result], ['WorkflowGone', build?.build_id, 'mended']);
    const { history } = await stack.records(job.input);
    assert.equal(history?.['build_id']?.S, build?.build_id);
    assert.deepEqual(await stack.statuses(newer.input), ['IN_PROGRESS', 'IN_PROGRESS']);
    await stack.terminate(newer);
    await repairAll(stack);
  });
});
