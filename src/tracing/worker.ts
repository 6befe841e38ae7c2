/** The spans of a worker: of runs, of activity attempts, of calls of the build API. */
import { createHash } from 'node:crypto';
import { context, ROOT_CONTEXT, SpanKind, trace, type Context, type Span, type SpanOptions } from '@opentelemetry/api';
import { activityInfo, type Context as ActivityContext } from '@temporalio/activity';
import type { ActivityInterceptors, InjectedSinks } from '@temporalio/worker';
import type { CallTrace, TracedCall } from '../build-api/call.ts';
import { carrierIn, ROLE_BUILD_WORKFLOW_TYPE, type TraceCarrier } from '../contract.ts';
import type { TraceSinks } from '../workflows/traces.ts';
import { headersOf, originOf } from './origin.ts';
import type { TraceHeaders } from '../config/tracing.ts';
import { endFailed, errorTypeOf, Spans, type SpansOptions } from './spans.ts';

export type WorkerTraces = ReturnType<typeof traceWorker>;

/** @param options.traceHeaders the trace header that the build API is sent */
export function traceWorker(options: Omit<SpansOptions, 'serviceName'> & { traceHeaders: TraceHeaders }) {
  const spans = new Spans({ ...options, serviceName: 'iam-orchestrator' });
  return {
    activity: (activity: ActivityContext) => activityInterceptors(spans, activity),
    sinks: {
      traces: {
        runEnded: {
          fn: ({ workflowId, runId, runStartTime, continuedFromExecutionRunId }, { origin, endMs, errorType }) => {
            const attributes = { temporalWorkflowId: workflowId, run_id: runId };
            const made = { startTime: runStartTime, attributes };
            const span = startRun(spans, origin, runId, made, continuedFromExecutionRunId);
            if (errorType === undefined) span.end(endMs);
            else endFailed(span, errorType, endMs);
          },
        },
      },
    } satisfies InjectedSinks<TraceSinks>,
    traceCall: (call: TracedCall) => startCall(spans, options.traceHeaders, call),
    close: (withinMs: number) => spans.close(withinMs),
  };
}

/**
 * Makes the span of a run. Its ID is derived from the run ID, so any worker can name the span long before the run has
 * ended. The sampler's decision is the same everywhere too, because it is derived from the trace's ID.
 */
function startRun(
  spans: Spans,
  origin: TraceCarrier,
  runId: string,
  options: SpanOptions = {},
  continuedFrom?: string,
): Span {
  const { parent, traceId } = originOf(origin, spans);
  const start = (id: string, more: SpanOptions, from: Context) =>
    spans.start(`RunWorkflow:${ROLE_BUILD_WORKFLOW_TYPE}`, { kind: SpanKind.SERVER, ...more }, from, {
      traceId,
      spanId: createHash('sha256').update(id).digest('hex').slice(0, 16),
    });
  if (continuedFrom === undefined) return start(runId, options, parent);
  return start(runId, options, trace.setSpan(ROOT_CONTEXT, start(continuedFrom, {}, parent)));
}

function activityInterceptors(spans: Spans, { info }: ActivityContext): ActivityInterceptors {
  const { activityType, activityId, attempt, workflowExecution } = info;
  // The SDK logs how an attempt ended after its span has ended, so the IDs are kept.
  let ids: { trace_id?: string; span_id?: string } = {};
  return {
    inbound: {
      async execute(input, next) {
        const carrier = carrierIn(input.headers);
        // There is no carrier if a worker without traces runs the workflow.
        if (carrier === undefined || workflowExecution === undefined) return next(input);
        const { workflowId, runId } = workflowExecution;
        const parent = trace.setSpan(ROOT_CONTEXT, startRun(spans, carrier, runId));
        const attributes = { temporalWorkflowId: workflowId, run_id: runId, temporalActivityId: activityId, attempt };
        const span = spans.start(`RunActivity:${activityType}`, { kind: SpanKind.SERVER, attributes }, parent);
        const { traceId, spanId } = span.spanContext();
        ids = { trace_id: traceId, span_id: spanId };
        try {
          const result = await context.with(trace.setSpan(parent, span), () => next(input));
          span.end();
          return result;
        } catch (err) {
          endFailed(span, errorTypeOf(err));
          throw err;
        }
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next({ ...input, ...ids }),
    },
  };
}

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client */
function startCall(spans: Spans, traceHeaders: TraceHeaders, { method, url, template }: TracedCall): CallTrace {
  const active = context.active();
  // A worker without traces scheduled the activity, so there is no trace to join.
  if (trace.getSpan(active) === undefined) return { headers: {}, end: () => undefined };
  const { hostname, port, protocol } = new URL(url);
  const { attempt } = activityInfo();
  const attributes = {
    'http.request.method': method,
    'server.address': hostname,
    'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    'url.template': template,
    ...(attempt > 1 ? { 'http.request.resend_count': attempt - 1 } : {}),
  };
  const span = spans.start(`${method} ${template}`, { kind: SpanKind.CLIENT, attributes }, active);
  return {
    headers: traceHeaders === 'none' ? {} : headersOf(trace.setSpan(active, span), traceHeaders),
    end({ status, errorType }) {
      if (status !== undefined) span.setAttribute('http.response.status_code', status);
      const failure = status !== undefined && status >= 400 ? String(status) : errorType;
      if (failure === undefined) span.end();
      else endFailed(span, failure);
    },
  };
}
