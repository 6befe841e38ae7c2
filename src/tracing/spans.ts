/** Spans, and where they go. Loads OpenTelemetry, so import it only if traces are on. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  context,
  diag,
  DiagLogLevel,
  SpanStatusCode,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type IdGenerator,
  type Sampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Tracing } from '../config/tracing.ts';

export interface SpansOptions {
  tracing: Tracing;
  /** The default if `OTEL_SERVICE_NAME` is not set. */
  serviceName: string;
  /** Called when spans could not be sent, but not again until some were sent. */
  onFault: (message: string) => void;
  /** Called for each other variable of OpenTelemetry whose value is ignored. */
  warn: (text: string) => void;
}

/** IDs for a span, in place of generated ones. */
export interface GivenIds {
  traceId?: string | undefined;
  spanId?: string;
}

/** Create one per process: it also sets the context manager, which tracks the active span. */
export class Spans {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #ids = new Ids();
  readonly #onFault: (message: string) => void;

  constructor({ tracing, serviceName, onFault, warn }: SpansOptions) {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    this.#onFault = onFault;
    this.#provider = new TracerProvider({
      idGenerator: this.#ids,
      sampler: samplerOf(tracing),
      resource: defaultResource()
        .merge(resourceFromAttributes({ 'service.name': serviceName }))
        .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] })),
      spanProcessors: [new BatchSpanProcessor({ exporter: telling(exporterOf(tracing, warn), onFault) })],
    });
    this.#tracer = this.#provider.getTracer('iam-orchestrator');
  }

  /** @param ids the span's ID, and its trace's ID if it has no parent */
  start(name: string, options: SpanOptions, parent: Context, ids: GivenIds = {}): Span {
    return this.#ids.given(ids, () => this.#tracer.startSpan(name, options, parent));
  }

  /** Sends the spans that have ended, and gives up after this time. */
  async close(withinMs: number): Promise<void> {
    const closed = new AbortController();
    const isLate = delay(withinMs, true, { signal: closed.signal }).catch(() => false);
    try {
      if (await Promise.race([this.#provider.shutdown(), isLate])) this.#onFault(`not within ${withinMs / 1000} s`);
    } catch (err) {
      this.#onFault((err as Error).message);
    } finally {
      closed.abort();
    }
  }
}

/**
 * Ends a span with a type or a name of the error, never its message. Messages quote inputs and the build API's answers,
 * and are encrypted wherever payloads are.
 */
export function endFailed(span: Span, errorType: string, endMs?: number): void {
  span.setAttribute('error.type', errorType);
  if (errorType !== CancelledFailure.name) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(endMs);
}

export function errorTypeOf(err: unknown): string {
  if (err instanceof ApplicationFailure && err.type) return err.type;
  return err instanceof Error ? err.name : 'Error';
}

/** New trace IDs begin with the time in seconds, as X-Ray requires. */
class Ids implements IdGenerator {
  #given: GivenIds = {};

  /** @param start makes one span synchronously */
  given(ids: GivenIds, start: () => Span): Span {
    this.#given = ids;
    try {
      return start();
    } finally {
      this.#given = {};
    }
  }

  generateTraceId(): string {
    const seconds = Math.floor(Date.now() / 1000).toString(16);
    return this.#given.traceId ?? `${seconds}${randomBytes(12).toString('hex')}`;
  }

  generateSpanId(): string {
    return this.#given.spanId ?? randomBytes(8).toString('hex');
  }
}

function samplerOf({ sampler, share }: Tracing): Sampler {
  const samplers = {
    always_on: new AlwaysOnSampler(),
    always_off: new AlwaysOffSampler(),
    traceidratio: new TraceIdRatioBasedSampler(share),
  };
  const root = samplers[sampler.replace('parentbased_', '') as keyof typeof samplers];
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** The exporter itself reads OpenTelemetry's other variables: headers, time-out, compression, certificates. */
function exporterOf({ url }: Tracing, warn: (text: string) => void): SpanExporter {
  // An invalid URL is reported already, without the password that it may contain.
  const tell = (text: string) => (text.includes('URL') ? undefined : warn(text));
  const nothing = () => undefined;
  diag.setLogger({ error: tell, warn: tell, info: nothing, debug: nothing, verbose: nothing }, DiagLogLevel.WARN);
  try {
    return new OTLPTraceExporter({ url });
  } finally {
    diag.disable();
  }
}

/** Reports a collector that can't be reached once and throws nothing, because builds don't depend on it. */
function telling(exporter: SpanExporter, onFault: (message: string) => void): SpanExporter {
  let isAway = false;
  return {
    export(spans, done) {
      exporter.export(spans, ({ code, error }) => {
        const failed = code !== ExportResultCode.SUCCESS;
        // Omits the collector's answer, which may repeat what was sent.
        if (failed && !isAway) onFault(error?.message ?? 'the collector refused them');
        isAway = failed;
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
