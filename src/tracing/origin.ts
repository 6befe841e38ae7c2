/** The trace that a run belongs to: from the header of its start, or from `trace_header` of its input. */
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
  /** The trace's ID, if it is known but the trace has no span yet. */
  traceId?: string | undefined;
}

/** An invented parent: a parent-based sampler keeps no span below it, so nobody looks for it. */
const NO_PARENT = 'Parent=0000000000000001';

/**
 * Returns the span that a carrier names; W3C's header outranks X-Ray's. The propagator accepts only complete X-Ray
 * headers, so missing parts are added here. Without `Sampled`, our sampler decides; without `Parent`, the trace has no
 * span yet, or, with `Sampled=0`, must not get one.
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

/** Returns the headers that name a span to another service. */
export function headersOf(from: Context, format: 'xray' | 'w3c'): TraceCarrier {
  const carrier: TraceCarrier = {};
  (format === 'xray' ? xray : w3c).inject(from, carrier, defaultTextMapSetter);
  return carrier;
}
