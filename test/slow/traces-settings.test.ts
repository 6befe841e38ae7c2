/** Which spans settings and callers ask for, and how builds go on when the collector is away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { workflowIdOf } from '../../src/contract.ts';
import { withClient } from '../faults/truth.ts';
import { ACCOUNT, inputFor, parseJson } from '../support/stack.ts';
import { callersTrace, FIVE, named, startTracedStack, type TracedStack } from './traces-fixture.ts';

describe('traces', () => {
  let stack: TracedStack;
  before(async () => {
    stack = await startTracedStack();
  });
  after(() => stack.stop());

  for (const [format, pattern] of [
    [
      'xray',
      (traceId: string, spanId: string) =>
        `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=1`,
    ],
    ['w3c', (traceId: string, spanId: string) => `00-${traceId}-${spanId}-01`],
  ] as const) {
    it(`traces name the call's own span to the build API if BUILD_API_TRACE_HEADERS is ${format}`, async () => {
      const worker = await stack.startWorker({ settings: { BUILD_API_TRACE_HEADERS: format } });
      const { header, traceId } = callersTrace();
      const input = inputFor(stack, `named-${format}`, { polls: 0 }, { trace_header: header });
      assert.equal((await stack.build(input)).json['status'], 'COMPLETE');
      await worker.stop();
      const spans = stack.collector.spansOf(traceId);
      const expected = ['POST /build', 'GET /build/{build_id}'].map((name) =>
        pattern(traceId, named(spans, name).spanId),
      );
      const name = format === 'xray' ? 'x-amzn-trace-id' : 'traceparent';
      assert.deepEqual(
        stack.headersOf(input).map((headers) => headers.get(name)),
        expected,
      );
      for (const headers of stack.headersOf(input)) {
        assert.deepEqual([...headers.keys()].sort(), [...FIVE, name].sort());
      }
    });
  }

  it('traces are not recorded if the caller or the sampler records none', async () => {
    const worker = await stack.startWorker({ settings: { OTEL_TRACES_SAMPLER: 'parentbased_always_off' } });
    const [unsampled, followed] = [callersTrace(0), callersTrace()];
    await stack.build(inputFor(stack, 'unsampled', { polls: 0 }, { trace_header: unsampled.header }));
    await stack.buildByForeignClient(inputFor(stack, 'own', { polls: 0 }, { trace_header: 'none' }));
    await stack.build(inputFor(stack, 'followed', { polls: 0 }, { trace_header: followed.header }));
    await worker.stop();
    named(stack.collector.spansOf(followed.traceId), 'RunWorkflow:roleBuild');
    const own = stack.collector
      .spans()
      .filter(({ attributes }) => String(attributes['temporalWorkflowId']).endsWith('#own'));
    assert.deepEqual([stack.collector.spansOf(unsampled.traceId), own], [[], []]);
  });

  for (const how of ['refuses connections', 'takes them and does not answer']) {
    it(`traces delay neither the command line nor a worker if the collector ${how}, and both say so`, async (t) => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      if (how === 'refuses connections') server.close();
      else t.after(() => server.close());
      const settings = {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        // The exporter would try for this long.
        OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
      };
      const inTimeMs = 30_000;
      const worker = await stack.startWorker({ settings });
      const input = inputFor(stack, `collector-${how.split(' ')[0]}`, { polls: 0 });
      const startedAt = performance.now();
      // As processes: in this one, their exporters would keep the test from ending.
      const run = (args: readonly string[], stdin?: string) =>
        stack.startCli(args, { settings, ...(stdin === undefined ? {} : { stdin }) }).result;
      const result = await run(['start', '--input', '-', '--json'], JSON.stringify(input));
      assert.ok(performance.now() - startedAt < inTimeMs);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(parseJson(result)['status'], 'IN_PROGRESS');
      assert.equal(result.stderr.match(/spans could not be sent/g)?.length, 1, result.stderr);
      const watched = await run(['watch', ACCOUNT, input.ddb_composite_sort_key, '--json']);
      assert.equal(watched.code, 0, watched.stderr);
      assert.doesNotMatch(watched.stderr, /spans/);
      const stoppedAt = performance.now();
      await worker.stop();
      assert.ok(performance.now() - stoppedAt < inTimeMs);
      assert.equal(await worker.exited, 0);
      assert.match(worker.output(), /spans could not be sent/);
    });
  }

  it('traces are sent with the service name and the key that are set, and the key is shown nowhere', async () => {
    const key = 'canary-collector-key';
    const settings = {
      OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${key}`,
      OTEL_SERVICE_NAME: 'renamed',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=outranked,deployment.environment.name=test',
      LOG_LEVEL: 'trace',
    };
    const { header, traceId } = callersTrace();
    const worker = await stack.startWorker({ settings });
    await stack.build(inputFor(stack, 'with-key', { polls: 0 }, { trace_header: header }));
    const config = await stack.cli(['config'], { settings });
    await worker.stop();
    assert.equal(named(stack.collector.spansOf(traceId), 'RunWorkflow:roleBuild').service, 'renamed');
    assert.ok(stack.collector.headers.some((headers) => headers['x-api-key'] === key));
    assert.match(config.stdout, /OTEL_EXPORTER_OTLP_HEADERS +\(hidden\)/);
    assert.ok(!worker.output().includes(key) && !config.stdout.includes(key));
  });

  it("traces are sent despite OpenTelemetry settings that we don't support, and only programs that make spans warn about them", async () => {
    const settings = {
      OTEL_TRACES_SAMPLER: 'jaeger_remote',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TIMEOUT: 'soon',
    };
    const { header, traceId } = callersTrace();
    const input = inputFor(stack, 'not-known', { polls: 0 }, { trace_header: header });
    const worker = await stack.startWorker({ settings });
    const started = await stack.cli(['start', '--input', '-', '--wait'], { settings, stdin: JSON.stringify(input) });
    assert.equal(started.code, 0, started.stderr);
    await worker.stop();
    for (const name of Object.keys(settings)) {
      assert.equal(started.stderr.match(new RegExp(`^role-build: .*${name}`, 'gm'))?.length, 1, started.stderr);
      assert.match(worker.output(), new RegExp(`"level":"warn",.*${name}`));
    }
    const spans = stack.collector.spansOf(traceId);
    for (const name of ['StartWorkflow:roleBuild', 'RunWorkflow:roleBuild']) named(spans, name);

    for (const args of [['status', ACCOUNT, input.ddb_composite_sort_key], ['list'], ['config']]) {
      const { code, stderr } = await stack.cli(args, { settings });
      assert.equal(code, 0, stderr);
      assert.equal(stderr.includes('OTEL_'), args[0] === 'config', stderr);
    }
  });

  for (const settings of [
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_SAMPLER: 'jaeger_remote' },
    { OTEL_TRACES_EXPORTER: 'none' },
  ]) {
    it(`no traces are sent with ${JSON.stringify(settings)}`, async () => {
      const bodies = stack.collector.bodies.length;
      const off = { ...settings, BUILD_API_TRACE_HEADERS: 'xray' };
      const worker = await stack.startWorker({ settings: off });
      const input = inputFor(stack, `off-${Object.keys(settings).join()}`, { polls: 0 });
      const { code, stderr } = await stack.cli(['start', '--input', '-', '--wait'], {
        settings: off,
        stdin: JSON.stringify(input),
      });
      assert.equal(code, 0, stderr);
      await worker.stop();
      assert.equal(stack.collector.bodies.length, bodies);
      for (const headers of stack.headersOf(input)) assert.ok(!headers.has('x-amzn-trace-id'));
      const events = await withClient(stack, async ({ workflow }) => {
        const id = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
        return (await workflow.getHandle(id).fetchHistory()).events ?? [];
      });
      assert.ok(!JSON.stringify(events).includes('_tracer-data'));
    });
  }
});
