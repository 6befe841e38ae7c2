/** Where a trace comes from: what a start's header or an input's `trace_header` names. */
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  isSpanContextValid,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { AWSXRayPropagator } from '@opentelemetry/propagator-aws-xray';
import type { TraceCarrier } from '../contract.ts';
import type { Spans } from './spans.ts';

const w3c = new W3CTraceContextPropagator();
const xray = new AWSXRayPropagator();

export interface Origin {
  parent: Context;
  /** Of the trace, if it is known and has no span yet. */
  traceId?: string | undefined;
}

/** Made up: with a parent-based sampler no span below it is kept, so nobody looks for it. */
const NO_PARENT = 'Parent=0000000000000001';

/**
 * The span that a carrier names; W3C's outranks X-Ray's. Of an X-Ray header the propagator takes only one that is whole. One
 * without `Sampled` leaves the decision to our sampler; one without `Parent` names a trace that has no span yet, or, with
 * `Sampled=0`, one that is to have none.
 */
export function originOf(carrier: TraceCarrier, spans: Spans): Origin {
  const parent = extract(carrier);
  if (parent !== undefined) return { parent };
  const header = carrier['x-amzn-trace-id'] ?? '';
  const traceId = /^Root=1-([0-9a-f]{8})-([0-9a-f]{24})/.exec(header)?.slice(1).join('');
  const parts = [header];
  if (!header.includes('Parent=')) {
    if (!header.includes('Sampled=0')) return { parent: ROOT_CONTEXT, traceId };
    parts.push(NO_PARENT);
  }
  if (!header.includes('Sampled=')) {
    const { traceFlags } = spans.start('undecided', {}, ROOT_CONTEXT, { traceId }).spanContext();
    parts.push(`Sampled=${(traceFlags & TraceFlags.SAMPLED) === 0 ? 0 : 1}`);
  }
  return { parent: extract({ 'x-amzn-trace-id': parts.join(';') }) ?? ROOT_CONTEXT, traceId };
}

function extract(carrier: TraceCarrier): Context | undefined {
  for (const propagator of [w3c, xray]) {
    const found = propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
    const span = trace.getSpanContext(found);
    if (span !== undefined && isSpanContextValid(span)) return found;
  }
  return undefined;
}

/** The headers that name a span to another service. */
export function headersOf(from: Context, format: 'xray' | 'w3c'): TraceCarrier {
  const carrier: TraceCarrier = {};
  (format === 'xray' ? xray : w3c).inject(from, carrier, defaultTextMapSetter);
  return carrier;
}
