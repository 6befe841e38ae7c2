/** Shared by the tests of traces: a stack that sends its spans to a collector, and callers' traces. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { WorkflowClient, type WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { ROLE_BUILD_WORKFLOW_TYPE, workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { withClient } from '../faults/truth.ts';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { ACCOUNT, startTestStack, type TestStack } from '../support/stack.ts';

export const FIVE = ['authorization', 'content-type', 'encrypted-authorization', 'referer', 'x-amzn-requestid'];
const OF_TRANSPORT = ['accept-encoding', 'connection', 'content-length', 'host'];

export interface TracedStack extends TestStack {
  collector: OtlpReceiver;
  /** The headers of each request to the build API, without the transport's, with names in lower case. */
  headersOf(input: RoleBuildInput): Map<string, string>[];
  /** Starts a build as a client without traces or with its own does, and waits for its end. */
  buildByForeignClient(input: RoleBuildInput, traceparent?: string): Promise<void>;
}

export async function startTracedStack(): Promise<TracedStack> {
  const collector = await startOtlpReceiver();
  const stack = await startTestStack({ settings: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  return {
    ...stack,
    collector,
    headersOf: ({ correlation_id }) =>
      stack.buildApi.requests(correlation_id).map(({ headers }) => {
        const sent = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
        return new Map(sent.filter(([name]) => !OF_TRANSPORT.includes(name)));
      }),
    buildByForeignClient: (input, traceparent) =>
      withClient(stack, async ({ connection }) => {
        const header = defaultPayloadConverter.toPayload({ traceparent });
        const interceptor: WorkflowClientInterceptor = {
          startWithDetails: (start, next) => next({ ...start, headers: { '_tracer-data': header } }),
        };
        const interceptors = traceparent === undefined ? [] : [interceptor];
        await new WorkflowClient({ connection, namespace: stack.temporal.namespace, interceptors }).execute(
          ROLE_BUILD_WORKFLOW_TYPE,
          {
            workflowId: workflowIdOf(ACCOUNT, input.ddb_composite_sort_key),
            taskQueue: 'role-builds',
            args: [input],
          },
        );
      }),
    stop: async () => {
      await stack.stop();
      await collector.stop();
    },
  };
}

/** A trace as a caller under X-Ray sends it. */
export function callersTrace(sampled: 0 | 1 = 1): { header: string; traceId: string; parentId: string } {
  const [time, rest, parentId] = ['67891233', randomBytes(12).toString('hex'), randomBytes(8).toString('hex')];
  return {
    header: `Root=1-${time}-${rest};Parent=${parentId};Sampled=${sampled}`,
    traceId: `${time}${rest}`,
    parentId,
  };
}

/** Returns the span with this name. */
export function named(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found[0] as ReceivedSpan;
}
