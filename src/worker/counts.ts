import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { ROLE_BUILD_WORKFLOW_TYPE } from '../contract.ts';
import { OPEN_QUERY, quotedForQuery } from '../domain/execution-status.ts';
import { hasGrpcStatus } from '../domain/grpc.ts';
import { END_STATUSES } from '../domain/record-status.ts';
import type { MetricName } from '../domain/metrics.ts';
import type { WorkerMetrics } from './metrics.ts';

const COUNT_EVERY_MS = 30_000;
/** The longest interval while Temporal limits the rate of requests. An alert fires after 10 min without a count. */
const COUNT_AT_LEAST_EVERY_MS = 240_000;
/** An open execution with an end in `BuildStatus` waits for its final record updates. People use these queries too. */
const QUERIES = {
  role_build_in_flight: OPEN_QUERY,
  role_build_last_writes_waiting: `${OPEN_QUERY} AND BuildStatus IN (${END_STATUSES.map((status) => `'${status}'`).join(', ')})`,
} as const satisfies Partial<Record<MetricName, string>>;

/**
 * Has Temporal count the builds of a task queue periodically, until the signal aborts. A worker's own count would be
 * lost with the worker, and two workers would count the same build twice; Temporal's count survives workers.
 */
export async function keepCounting(
  client: Client,
  taskQueue: string,
  metrics: Pick<WorkerMetrics, 'setGauge'>,
  logger: Pick<Logger, 'warn'>,
  signal: AbortSignal,
): Promise<void> {
  const ofQueue = `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}' AND TaskQueue = ${quotedForQuery(taskQueue)}`;
  let everyMs = COUNT_EVERY_MS;
  while (!signal.aborted) {
    try {
      for (const [name, query] of Object.entries(QUERIES) as [keyof typeof QUERIES, string][]) {
        metrics.setGauge(name, (await client.workflow.count(`${ofQueue} AND ${query}`)).count);
      }
      metrics.setGauge('role_build_counted_timestamp_seconds', Math.floor(Date.now() / 1000));
      everyMs = Math.max(COUNT_EVERY_MS, everyMs / 2);
    } catch (err) {
      if (!signal.aborted) logger.warn({ err }, 'builds could not be counted; the gauges stay as they were');
      if (hasGrpcStatus(err, 'RESOURCE_EXHAUSTED')) everyMs = Math.min(COUNT_AT_LEAST_EVERY_MS, everyMs * 2);
    }
    // Keeps workers that were started together from counting at the same time.
    const jitter = 0.8 + Math.random() * 0.4;
    // The delay rejects when the signal aborts; the loop then ends.
    await delay(everyMs * jitter, undefined, { ref: false, signal }).catch(() => undefined);
  }
}
