/** The trace of a build: a command, workers, Temporal, the simulated build API, and a collector that keeps what it is sent. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, it } from 'node:test';
import { bundleClient } from '../../scripts/bundle-client.ts';
import { CREDENTIAL, inputFor, letSucceed, until } from '../support/stack.ts';
import type { ReceivedSpan } from '../support/otlp-receiver.ts';
import { callersTrace, FIVE, named, startTracedStack, type TracedStack } from './traces-fixture.ts';

describe('a trace', () => {
  let stack: TracedStack;
  before(async () => {
    stack = await startTracedStack();
  });
  after(() => stack.stop());

  it("a trace joins the caller's X-Ray trace: command line, workflow, activities, calls of the build API", async () => {
    const worker = await stack.startWorker();
    const { header, traceId, parentId } = callersTrace();
    const input = inputFor(
      stack,
      'joined',
      { polls: 1, trigger: [{ status: 503, body: { message: 'canary-answer' } }] },
      { trace_header: header },
    );
    const { json } = await stack.build(input);
    assert.equal(json['status'], 'COMPLETE');
    await worker.stop();
    // A command waits at most a second until its span is sent.
    await until('the span of the start has arrived', () =>
      stack.collector.spansOf(traceId).some(({ name }) => name === 'StartWorkflow:roleBuild'),
    );

    const spans = stack.collector.spansOf(traceId);
    const start = named(spans, 'StartWorkflow:roleBuild');
    const run = named(spans, 'RunWorkflow:roleBuild');
    assert.deepEqual([start.service, start.parentId], ['role-build', parentId]);
    assert.deepEqual([run.service, run.parentId], ['iam-orchestrator', start.spanId]);
    assert.equal(run.attributes['run_id'], json['job_id']);
    assert.equal(start.attributes['run_id'], json['job_id']);
    assert.equal(run.failed, false);

    const activities = spans.filter(({ name }) => name.startsWith('RunActivity:'));
    assert.deepEqual(activities.map(({ name }) => name.replace('RunActivity:', '')).sort(), [
      'getBuildStatus',
      'getBuildStatus',
      'insertRequestHistory',
      'triggerBuild',
      'triggerBuild',
      'updateSuccessfulHistory',
      'updateSuccessfulRecord',
      'upsertRequestRecord',
    ]);
    for (const { parentId: parent, startMs, endMs } of activities) {
      assert.equal(parent, run.spanId);
      assert.ok(startMs >= run.startMs - 1_000 && endMs >= startMs);
    }

    const calls = spans.filter(({ name }) => /^(POST|GET) /.test(name));
    assert.deepEqual(calls.map(({ name }) => name).sort(), [
      'GET /build/{build_id}',
      'GET /build/{build_id}',
      'POST /build',
      'POST /build',
    ]);
    for (const { name, parentId: parent, attributes } of calls) {
      const activity = activities.find(({ spanId }) => spanId === parent);
      assert.equal(activity?.name, name.startsWith('POST') ? 'RunActivity:triggerBuild' : 'RunActivity:getBuildStatus');
      assert.equal(attributes['server.address'], '127.0.0.1');
      assert.equal(attributes['server.port'], Number(new URL(stack.buildApiUrl).port));
    }
    const posts = calls.filter(({ name }) => name === 'POST /build').sort((a, b) => a.startMs - b.startMs);
    assert.deepEqual(
      posts.map(({ attributes, failed }) => [
        attributes['http.response.status_code'],
        attributes['http.request.resend_count'],
        attributes['error.type'],
        failed,
      ]),
      [
        [503, undefined, '503', true],
        [posts[1]?.attributes['http.response.status_code'], 1, undefined, false],
      ],
    );
    assert.equal(activities.filter(({ failed }) => failed)[0]?.attributes['error.type'], 'BuildApiUnavailable');
    assert.ok(worker.output().includes(`"trace_id":"${traceId}"`), 'in the log of the attempt that failed');
    assert.equal(spans.length, 2 + activities.length + calls.length, 'nothing else is in the trace');
  });

  it('a trace holds no inputs, answers or credential, and the request to the build API stays as it was', async () => {
    const worker = await stack.startWorker();
    const { header, traceId } = callersTrace();
    const input = inputFor(
      stack,
      'discreet',
      { trigger: [{ status: 403, body: { message: `canary-answer ${CREDENTIAL}` } }] },
      { trace_header: header, requested_by: 'canary-requester' },
    );
    Object.assign(input.build_body, { note: 'canary-in-the-build-body' });
    const { json } = await stack.build(input);
    assert.equal(json['status'], 'FAILED');
    await worker.stop();
    const run = named(stack.collector.spansOf(traceId), 'RunWorkflow:roleBuild');
    assert.deepEqual([run.failed, run.attributes['error.type']], [true, 'CustomNonRetryableError']);
    const sent = Buffer.concat(stack.collector.bodies).toString('latin1');
    for (const secret of [CREDENTIAL, 'canary', input.correlation_id]) assert.ok(!sent.includes(secret), secret);
    assert.deepEqual(
      stack.collector.spans().filter(({ events, message }) => events.length > 0 || message !== ''),
      [],
    );
    for (const headers of stack.headersOf(input)) assert.deepEqual([...headers.keys()].sort(), FIVE);
  });

  it('a trace joins the X-Ray trace in the input of a build that a client without traces started', async () => {
    const worker = await stack.startWorker();
    const { header, traceId, parentId } = callersTrace();
    await stack.buildByForeignClient(
      inputFor(stack, 'foreign', { polls: 0 }, { trace_header: `${header};Lineage=a:1` }),
    );
    await worker.stop();
    const spans = stack.collector.spansOf(traceId);
    assert.equal(named(spans, 'RunWorkflow:roleBuild').parentId, parentId);
    assert.equal(
      spans.some(({ service }) => service !== 'iam-orchestrator'),
      false,
    );
    named(spans, 'POST /build');
  });

  it("a trace joins the span of a client that starts builds with Temporal's own interceptor, which outranks the input", async () => {
    const worker = await stack.startWorker();
    const [client, input] = [callersTrace(), callersTrace()];
    await stack.buildByForeignClient(
      inputFor(stack, 'instrumented', { polls: 0 }, { trace_header: input.header }),
      `00-${client.traceId}-${client.parentId}-01`,
    );
    await worker.stop();
    const spans = stack.collector.spansOf(client.traceId);
    assert.equal(named(spans, 'RunWorkflow:roleBuild').parentId, client.parentId);
    named(spans, 'POST /build');
    assert.deepEqual(stack.collector.spansOf(input.traceId), []);
  });

  it('a trace has an ID made from the job ID if the trace header is invalid', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'made-up', { polls: 0 }, { trace_header: 'whatever; Root=canary' });
    await stack.buildByForeignClient(input);
    await worker.stop();
    const { status } = await stack.records(input);
    const jobId = status?.['job_id']?.S ?? '';
    const run = stack.collector
      .spans()
      .find(({ attributes }) => attributes['run_id'] === jobId && attributes['attempt'] === undefined);
    assert.ok(run);
    assert.equal(run.parentId, '');
    assert.equal(run.traceId.slice(8), jobId.replaceAll('-', '').slice(-24));
    // The second of its start in the record; its first task may be in the next second.
    const startMs = Date.parse(status?.['start_at']?.S ?? '');
    assert.equal(parseInt(run.traceId.slice(0, 8), 16), Math.floor(startMs / 1000));
    named(stack.collector.spansOf(run.traceId), 'POST /build');
    const started = inputFor(stack, 'made-up-too', { polls: 0 }, { trace_header: 'whatever' });
    const { code, stderr } = await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(started) });
    assert.equal(code, 0, stderr);
    const ofStart = () =>
      stack.collector
        .spans()
        .filter(({ attributes }) => String(attributes['temporalWorkflowId']).endsWith('made-up-too'));
    // A command waits at most a second until its span is sent.
    await until('its span has arrived', () => ofStart().length > 0);
    assert.equal(named(ofStart(), 'StartWorkflow:roleBuild').parentId, '');
  });

  it('a trace has one span for a run, even if one worker begins the run and another ends it', async () => {
    const first = await stack.startWorker();
    const { header, traceId } = callersTrace();
    const input = inputFor(stack, 'handed-over', { outcome: 'NEVER' }, { trace_header: header });
    const ended = stack.build(input);
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).some(({ method }) => method === 'GET'));
    await first.stop();
    const second = await stack.startWorker();
    letSucceed(stack, input);
    assert.equal((await ended).json['status'], 'COMPLETE');
    await second.stop();
    const spans = stack.collector.spansOf(traceId);
    const run = named(spans, 'RunWorkflow:roleBuild');
    for (const { name, parentId } of spans) if (name.startsWith('RunActivity:')) assert.equal(parentId, run.spanId);
    named(spans, 'RunActivity:triggerBuild');
  });

  it('traces can be turned off and on again while a build is under way', async () => {
    const { header, traceId } = callersTrace();
    const input = inputFor(stack, 'switched', { outcome: 'NEVER' }, { trace_header: header });
    const polls = () => stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'GET').length;
    const first = await stack.startWorker();
    const ended = stack.build(input);
    await until('it polls', () => polls() > 0);
    await first.stop();
    const polled = polls();
    const second = await stack.startWorker({ settings: { OTEL_TRACES_EXPORTER: 'none' } });
    await until('it polls again', () => polls() > polled);
    await second.stop();
    const third = await stack.startWorker();
    letSucceed(stack, input);
    assert.equal((await ended).json['status'], 'COMPLETE');
    await third.stop();
    const rootless = ({ name, parentId }: ReceivedSpan) => /^(RunActivity:|POST|GET)/.test(name) && parentId === '';
    assert.deepEqual(stack.collector.spans().filter(rootless), []);
    named(stack.collector.spansOf(traceId), 'RunWorkflow:roleBuild');
  });

  it('a trace begins at the bundled command line, one for each build of a batch', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'traced-client-'));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'package.json'), '{"type": "module", "version": "0.0.0"}');
    await bundleClient(join(folder, 'dist'));
    const startTwo = async (batch: string) => {
      const traces = [callersTrace(), callersTrace()];
      const inputs = traces.map(({ header }, i) =>
        inputFor(stack, `${batch}-${i}`, { polls: 0 }, { trace_header: header }),
      );
      const file = `${batch}.ndjson`;
      await writeFile(join(folder, file), inputs.map((input) => JSON.stringify(input)).join('\n'));
      const { stderr } = await promisify(execFile)(
        process.execPath,
        [join(folder, 'dist', 'client.js'), 'batch', file],
        { cwd: folder, env: { PATH: process.env['PATH'], ...stack.settings } },
      );
      return { traces, stderr };
    };
    let last = await startTwo('batch-1');
    // It waits a second for the collector. If a busy machine needs longer, another batch is run.
    for (let n = 2; n <= 4 && last.stderr.includes('could not be sent: not within'); n += 1) {
      last = await startTwo(`batch-${n}`);
    }
    assert.doesNotMatch(last.stderr, /spans could not be sent/);
    for (const { traceId, parentId } of last.traces) {
      assert.equal(named(stack.collector.spansOf(traceId), 'StartWorkflow:roleBuild').parentId, parentId);
    }
  });
});
