/** What workflow code does for traces, on a worker with traces and beside workers without. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { ROLE_BUILD_WORKFLOW_TYPE, TRACE_HEADER, workflowIdOf } from '../../src/contract.ts';
import type { EndedRun } from '../../src/workflows/traces.ts';
import type { HistoryEvent } from '../support/running-build.ts';
import { times } from '../support/scripted-activities.ts';
import { workflowBundle } from '../support/workflow-bundles.ts';
import { inputWith, SKIPPING, WorkflowEnvironment, type BuildOptions } from '../support/workflow-environment.ts';

const TASK_QUEUE = 'traced';
const UNDECIDED = { can_retry: true, build_status: 'QUEUED' };
const CALLERS = 'Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1';

let environment: WorkflowEnvironment;
let traced: WorkflowBundleOption;
let plain: WorkflowBundleOption;
const ended = new Map<string, EndedRun>();

before(async () => {
  traced = await workflowBundle({ traced: true });
  plain = await workflowBundle();
  environment = await WorkflowEnvironment.devServer({ ...SKIPPING, 'limit.historyCount.suggestContinueAsNew': 40 });
  const none = { fn: () => undefined };
  await environment.startWorker({
    taskQueue: TASK_QUEUE,
    workflowBundle: traced,
    // In that mode a sink's arguments come from another V8 context, so deepEqual fails on them.
    debugMode: false,
    sinks: {
      metrics: { count: none, observe: none },
      traces: { runEnded: { fn: ({ runId }, run: EndedRun) => void ended.set(runId, run) } },
    },
  });
});
after(() => environment.stop());

const quick = (more: BuildOptions['input'] = {}): BuildOptions => ({
  taskQueue: TASK_QUEUE,
  input: { poll_interval_seconds: 0.2, ...more },
});

/** Returns the trace context in a header of this event. */
function carrierOf(event: HistoryEvent | undefined): unknown {
  const attributes = event?.activityTaskScheduledEventAttributes ?? event?.workflowExecutionStartedEventAttributes;
  const payload = attributes?.header?.fields?.[TRACE_HEADER];
  return payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
}

async function replay(workflowId: string, events: HistoryEvent[], bundle: WorkflowBundleOption) {
  for await (const { error } of Worker.runReplayHistories({ workflowBundle: bundle }, [
    { workflowId, history: { events } },
  ])) {
    assert.equal(error, undefined);
  }
}

describe('a workflow on a worker with traces', () => {
  it("a workflow on a worker with traces passes the caller's trace to every activity, through continue-as-new, and reports each run's end once", async (t) => {
    const build = await environment.start(t, { getBuildStatus: times(10, UNDECIDED) }, quick());
    assert.equal((await build.end()).status, 'COMPLETED');
    const runs = await build.runs();
    assert.ok(runs.length >= 2, `${runs.length} runs`);
    for (const [i, events] of runs.entries()) {
      const scheduled = events.filter((event) => event.activityTaskScheduledEventAttributes);
      const expected = { 'x-amzn-trace-id': CALLERS };
      for (const event of scheduled) assert.deepEqual(carrierOf(event), expected);
      if (i > 0) assert.deepEqual(carrierOf(events[0]), expected);
      const runId = events[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? '';
      assert.deepEqual(ended.get(runId)?.origin, expected);
      assert.equal(ended.get(runId)?.errorType, undefined);
    }
  });

  it("a workflow on a worker with traces writes the same events as one without, and each replays the other's history", async (t) => {
    const types = (events: HistoryEvent[]) => events.map(({ eventType }) => Number(eventType));
    const script = { getBuildStatus: times(2, UNDECIDED) };
    const builds = [
      await environment.start(t, script, quick({ deadline_seconds: 600 })),
      await environment.start(t, script, { input: { poll_interval_seconds: 0.2, deadline_seconds: 600 } }),
    ];
    const histories: HistoryEvent[][] = [];
    for (const build of builds) {
      assert.equal((await build.end()).status, 'COMPLETED');
      histories.push(await build.history());
    }
    const [withTraces = [], without = []] = histories;
    assert.deepEqual(types(withTraces), types(without));
    assert.ok(!JSON.stringify(without).includes(TRACE_HEADER));
    for (const [i, events] of histories.entries()) {
      const { workflowId } = builds[i]?.handle ?? { workflowId: '' };
      for (const bundle of [traced, plain]) await replay(workflowId, events, bundle);
    }
  });

  it("a workflow on a worker with traces takes only X-Ray's fields from a trace header, since headers are not encrypted", async (t) => {
    for (const [given, kept] of [
      ['Root=1-67891233-abcdef012345678912345678', 'Root=1-67891233-abcdef012345678912345678'],
      [
        `Self=1-secret; Sampled=0;Parent=463ac35c9f6413ad ;Root=1-67891233-abcdef012345678912345678;x=secret`,
        'Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=0',
      ],
      ['secret', undefined],
      ['Root=1-secret;Parent=463ac35c9f6413ad;Sampled=1', undefined],
    ] as const) {
      const build = await environment.start(t, {}, quick({ trace_header: given }));
      assert.equal((await build.end()).status, 'COMPLETED');
      const [carrier, ...others] = (await build.history()).map(carrierOf).filter((one) => one !== undefined);
      const own = new RegExp(`^Root=1-[0-9a-f]{8}-${build.jobId.replaceAll('-', '').slice(-24)}$`);
      const header = (carrier as Record<string, string>)['x-amzn-trace-id'] ?? '';
      assert.match(header, kept === undefined ? own : new RegExp(`^${kept}$`));
      for (const other of others) assert.deepEqual(other, carrier);
    }
  });

  it('a workflow on a worker with traces drops a header that is not a trace context', async () => {
    for (const carrier of [
      { traceparent: 'secret'.repeat(1_000), tracestate: 'secret', baggage: 'secret' },
      'secret',
      null,
    ]) {
      const input = inputWith({ poll_interval_seconds: 0.2 });
      const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
      environment.follow(workflowId, {});
      await environment.client.workflowService.startWorkflowExecution({
        namespace: 'default',
        requestId: randomUUID(),
        workflowId,
        workflowType: { name: ROLE_BUILD_WORKFLOW_TYPE },
        taskQueue: { name: TASK_QUEUE },
        input: { payloads: [defaultPayloadConverter.toPayload(input)] },
        header: { fields: { [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) } },
      });
      const handle = environment.client.workflow.getHandle(workflowId);
      await handle.result();
      const [, ...events] = (await handle.fetchHistory()).events ?? [];
      for (const handedOn of events.map(carrierOf).filter((one) => one !== undefined)) {
        assert.deepEqual(handedOn, { 'x-amzn-trace-id': CALLERS });
      }
    }
  });

  it("a workflow on a worker with traces reports only the error's name if a run failed", async (t) => {
    const build = await environment.start(
      t,
      { getBuildStatus: [{ can_retry: false, build_status: 'FAILED', message: 'secret' }] },
      quick(),
    );
    assert.equal((await build.end()).status, 'FAILED');
    const run = ended.get(build.jobId);
    assert.equal(run?.errorType, 'BuildFailed');
    assert.ok(!JSON.stringify(run).includes('secret'));
  });

  it('a workflow on a worker with traces reports a cancelled run as cancelled', async (t) => {
    const build = await environment.start(t, { getBuildStatus: times(100, UNDECIDED) }, quick());
    await build.untilAttempted('getBuildStatus');
    await build.handle.cancel();
    assert.equal((await build.end()).status, 'CANCELLED');
    const [, ...later] = await build.runs();
    const runId = later.at(-1)?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? build.jobId;
    assert.equal(ended.get(runId)?.errorType, 'CancelledFailure');
  });
});
