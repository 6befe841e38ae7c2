import { SpanStatusCode, type Span } from '@opentelemetry/api';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/**
 * How a span failed: a type or a name, never a message. Messages quote inputs and the build API's answers, and if payloads
 * are encrypted they are too.
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
