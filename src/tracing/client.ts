/** Makes a span of a start, and passes it to the workflow in a header. */
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { carrierHeader, xrayHeaderOf } from '../contract.ts';
import { headersOf, originOf } from './origin.ts';
import { endFailed, errorTypeOf, Spans, type SpansOptions } from './spans.ts';

export type ClientTraces = ReturnType<typeof traceClient>;

/** Each start becomes a span of the trace in its input's `trace_header`. */
export function traceClient(options: Omit<SpansOptions, 'serviceName'>) {
  const spans = new Spans({ ...options, serviceName: 'role-build' });
  const startWithDetails: NonNullable<WorkflowClientInterceptor['startWithDetails']> = async (input, next) => {
    const { workflowType } = input;
    const { workflowId, args } = input.options;
    const { trace_header } = (args[0] ?? {}) as { trace_header?: unknown };
    const { parent, traceId } = originOf({ 'x-amzn-trace-id': xrayHeaderOf(trace_header) }, spans);
    const spanOptions = { kind: SpanKind.CLIENT, attributes: { temporalWorkflowId: workflowId } };
    const span = spans.start(`StartWorkflow:${workflowType}`, spanOptions, parent, { traceId });
    const carrier = headersOf(trace.setSpan(ROOT_CONTEXT, span), 'w3c');
    try {
      const output = await next({ ...input, headers: { ...input.headers, ...carrierHeader(carrier) } });
      span.setAttribute('run_id', output.runId).end();
      return output;
    } catch (err) {
      endFailed(span, errorTypeOf(err));
      throw err;
    }
  };
  return { startWithDetails, close: (withinMs: number) => spans.close(withinMs) };
}
