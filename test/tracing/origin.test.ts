import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { defaultPayloadConverter } from '@temporalio/common';
import { carrierIn, TRACE_HEADER, xrayHeaderOf, type TraceCarrier } from '../../src/contract.ts';
import { headersOf, originOf } from '../../src/tracing/origin.ts';
import type { Tracing } from '../../src/config/tracing.ts';
import { Spans } from '../../src/tracing/spans.ts';

const TRACE_ID = '67891233abcdef012345678912345678';
const ROOT = 'Root=1-67891233-abcdef012345678912345678';
const PARENT = '463ac35c9f6413ad';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

const ALL: Tracing = { url: 'http://127.0.0.1:9', sampler: 'parentbased_always_on', share: 1 };
const OPTIONS = { tracing: ALL, serviceName: 'test', onFault: () => undefined, warn: () => undefined };

describe('the origin of a trace', () => {
  let spans: Spans;
  before(() => {
    spans = new Spans(OPTIONS);
  });
  after(() => spans.close(1_000));

  const read = (carrier: TraceCarrier, by = spans) => {
    const { parent, traceId } = originOf(carrier, by);
    const found = trace.getSpanContext(parent);
    const made = by.start('made', {}, parent, { traceId }).spanContext();
    return { parentId: found?.spanId, traceId: made.traceId, sampled: made.traceFlags === 1 };
  };

  it('the origin of a trace is never a malformed header of another client', () => {
    const payloads = [null, 5, 'text', { 'x-amzn-trace-id': 5 }].map((value) =>
      defaultPayloadConverter.toPayload(value),
    );
    payloads.push({ metadata: { encoding: Buffer.from('json/odd') } });
    payloads.push({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{') });
    for (const payload of payloads) {
      const carrier = carrierIn({ [TRACE_HEADER]: payload }) ?? {};
      assert.ok(Object.values(carrier).every((value) => typeof value === 'string'));
      assert.equal(read(carrier).parentId, undefined);
    }
    assert.equal(xrayHeaderOf(`Root=1-${'0'.repeat(8)}-${'0'.repeat(24)};Parent=${PARENT};Sampled=0`), '');
  });

  it('the origin of a trace is the span in an X-Ray header, with its sampling decision', () => {
    for (const sampled of [true, false]) {
      const header = `${ROOT};Parent=${PARENT};Sampled=${sampled ? 1 : 0}`;
      assert.deepEqual(read({ 'x-amzn-trace-id': header }), { parentId: PARENT, traceId: TRACE_ID, sampled });
    }
  });

  it('the origin of a trace is a root span if the header has an ID and no span, sampled unless the caller says no', () => {
    for (const header of [ROOT, `${ROOT};Sampled=1`]) {
      assert.deepEqual(read({ 'x-amzn-trace-id': header }), { parentId: undefined, traceId: TRACE_ID, sampled: true });
    }
    const { traceId, sampled } = read({ 'x-amzn-trace-id': `${ROOT};Sampled=0` });
    assert.deepEqual([traceId, sampled], [TRACE_ID, false]);
  });

  it('the origin of a trace is sampled here if the caller left the decision open', () => {
    const header = `${ROOT};Parent=${PARENT}`;
    assert.deepEqual(read({ 'x-amzn-trace-id': header }), { parentId: PARENT, traceId: TRACE_ID, sampled: true });
    const none = new Spans({ ...OPTIONS, tracing: { ...ALL, sampler: 'parentbased_always_off' } });
    assert.deepEqual(read({ 'x-amzn-trace-id': header }, none).sampled, false);
    assert.deepEqual(read({ 'x-amzn-trace-id': ROOT }, none).sampled, false);
    assert.deepEqual(read({ 'x-amzn-trace-id': `${header};Sampled=1` }, none).sampled, true);
  });

  it("the origin of a trace is W3C's if there are both, and X-Ray's if W3C's is invalid", () => {
    const header = `${ROOT};Parent=${PARENT};Sampled=1`;
    assert.equal(read({ 'x-amzn-trace-id': header, traceparent: TRACEPARENT }).parentId, 'b7ad6b7169203331');
    assert.equal(read({ 'x-amzn-trace-id': header, traceparent: 'whatever' }).parentId, PARENT);
  });

  it('the origin of a trace is new without any header, and its ID begins with the time, as X-Ray requires', () => {
    const earliest = Math.floor(Date.now() / 1000);
    const { parentId, traceId } = read({ 'x-amzn-trace-id': '' });
    assert.equal(parentId, undefined);
    const seconds = parseInt(traceId.slice(0, 8), 16);
    assert.ok(seconds >= earliest && seconds <= earliest + 60);
  });

  it("the origin of a trace is passed on in the receiver's format", () => {
    const { parent } = originOf({ 'x-amzn-trace-id': `${ROOT};Parent=${PARENT};Sampled=1` }, spans);
    assert.deepEqual(headersOf(parent, 'xray'), { 'x-amzn-trace-id': `${ROOT};Parent=${PARENT};Sampled=1` });
    assert.deepEqual(headersOf(parent, 'w3c'), { traceparent: `00-${TRACE_ID}-${PARENT}-01` });
    assert.deepEqual(headersOf(ROOT_CONTEXT, 'w3c'), {});
  });
});
