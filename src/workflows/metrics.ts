/**
 * Metrics of builds. They use a sink, which is not called on replay. The SDK's own meter for workflows would label them
 * `taskQueue` and `workflowType`, but all other metrics have `task_queue`.
 */
import { proxySinks, type Sinks } from '@temporalio/workflow';
import { STATE_NAMES } from '../activities/types.ts';
import type { FailureName } from '../domain/failures.ts';
import type { MetricName } from '../domain/metrics.ts';
import type { EndStatus } from '../domain/record-status.ts';

/** The sink that the worker implements. */
export interface MetricSinks extends Sinks {
  metrics: {
    count(name: MetricName, labels: Record<string, string>): void;
    observe(name: MetricName, value: number, labels: Record<string, string>): void;
  };
}

const { metrics } = proxySinks<MetricSinks>();

export function countEnded(outcome: EndStatus, cause: FailureName | 'none', startAt: string): void {
  metrics.count('role_build_ended', { outcome, cause });
  metrics.observe('role_build_duration', Math.max(0, Date.now() - Date.parse(startAt)) / 1000, { outcome });
}

export function countRefused(cause: string): void {
  metrics.count('role_build_ended', { outcome: 'REFUSED', cause });
}

export function countContested(state: string): void {
  metrics.count('role_build_records_contested', { record: recordOf(state) });
}

export function countFailedRound(state: string): void {
  if (state === STATE_NAMES.ensureDirectoryGroup) return metrics.count('role_build_directory_rounds_failed', {});
  metrics.count('role_build_last_write_rounds_failed', { record: recordOf(state) });
}

function recordOf(state: string): 'status' | 'history' {
  return state.endsWith('History') ? 'history' : 'status';
}
