/**
 * Trace support in workflow code, on workers that send traces. No span is made here. Headers pass the trace's origin
 * on, and a sink, which is not called on replay, reports the end of a run. Promises are returned unchanged: one more
 * `await` could change the outcome of a race from that on an untraced worker, and a replay would fail.
 */
import { ApplicationFailure, type Headers } from '@temporalio/common';
import {
  ContinueAsNew,
  isCancellation,
  proxySinks,
  workflowInfo,
  type Sinks,
  type WorkflowInterceptors,
} from '@temporalio/workflow';
import { carrierIn, carrierHeader, xrayHeaderOf, type TraceCarrier } from '../contract.ts';
import { traced } from './worker-options.ts';

/** What the sink reports of a run that has ended. */
export interface EndedRun {
  origin: TraceCarrier;
  endMs: number;
  /** Type of its failure, or the name of its error. */
  errorType?: string;
}

/** The sink that the worker implements. */
export interface TraceSinks extends Sinks {
  traces: { runEnded(run: EndedRun): void };
}

const { traces } = proxySinks<TraceSinks>();

export function interceptors(): WorkflowInterceptors {
  if (!traced) return {};
  let origin: TraceCarrier = {};
  const withOrigin = <T extends { headers: Headers }>(input: T): T => ({
    ...input,
    headers: { ...input.headers, ...carrierHeader(origin) },
  });
  return {
    inbound: [
      {
        execute(input, next) {
          origin = originOf(input.headers, input.args[0]);
          const result = next(input);
          const ended = (err?: unknown) => traces.runEnded({ origin, endMs: Date.now(), ...errorTypeOf(err) });
          result.then(() => ended(), ended);
          return result;
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(withOrigin(input)),
        scheduleLocalActivity: (input, next) => next(withOrigin(input)),
        continueAsNew: (input, next) => next(withOrigin(input)),
      },
    ],
  };
}

/** The start's own span, the caller's X-Ray trace, or else a trace derived from the build's first run ID. */
function originOf(headers: Headers, input: unknown): TraceCarrier {
  const given = carrierIn(headers) ?? {};
  const { trace_header } = (input ?? {}) as { trace_header?: unknown };
  return {
    ...w3cOf(given),
    'x-amzn-trace-id': xrayHeaderOf(given['x-amzn-trace-id']) || xrayHeaderOf(trace_header) || ownTrace(),
  };
}

/** Limited, because every activity's header carries it. https://www.w3.org/TR/trace-context/#tracestate-limits */
const TRACESTATE_MAX_CHARACTERS = 512;

function w3cOf({ traceparent = '', tracestate }: TraceCarrier): TraceCarrier {
  if (!/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return {};
  const fits = tracestate !== undefined && tracestate.length <= TRACESTATE_MAX_CHARACTERS;
  return { traceparent, ...(fits ? { tracestate } : {}) };
}

/** Derives the trace ID from the start's second and the last 24 digits of the job ID, so that the job leads to it. */
function ownTrace(): string {
  const { startTime, firstExecutionRunId } = workflowInfo();
  const seconds = Math.floor(startTime.getTime() / 1000).toString(16);
  return `Root=1-${seconds}-${firstExecutionRunId.replaceAll('-', '').slice(-24)}`;
}

function errorTypeOf(err: unknown): { errorType?: string } {
  if (err === undefined || err instanceof ContinueAsNew) return {};
  if (isCancellation(err)) return { errorType: 'CancelledFailure' };
  if (err instanceof ApplicationFailure && err.type) return { errorType: err.type };
  return { errorType: err instanceof Error ? err.name : 'Error' };
}
