/** The metrics page of a worker: the metrics of Temporal's SDK and those of this project. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { MetricCounter, MetricHistogram, MetricMeter } from '@temporalio/common';
import type { InjectedSinks, TelemetryOptions } from '@temporalio/worker';
import type { Sinks } from '@temporalio/workflow';
import type { Verdict } from '../domain/build-status.ts';
import { FAILURES, REFUSALS } from '../domain/failures.ts';
import { METRICS, type MetricDefinition, type MetricName } from '../domain/metrics.ts';
import { END_STATUSES } from '../domain/record-status.ts';
import { authorityOf, listen, type HostPort } from '../process/listen.ts';

/** Has Temporal's native half serve the page. Names follow Prometheus, durations are in seconds. */
export function metricsOptions(address: HostPort): NonNullable<TelemetryOptions['metrics']> {
  const buckets = Object.entries(METRICS).flatMap(([name, definition]: [string, MetricDefinition]) =>
    definition.buckets === undefined ? [] : [[name, [...definition.buckets]] as [string, number[]]],
  );
  return {
    attachServiceName: false,
    prometheus: {
      bindAddress: authorityOf(address),
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: Object.fromEntries(buckets),
    },
  };
}

/**
 * Resolves an address for the native half, which takes no host names and can't say which port it took.
 *
 * @throws if it can't be listened on
 */
export async function nativeAddress(address: HostPort): Promise<HostPort> {
  const probe = createServer();
  const found = await listen(probe, address);
  probe.close();
  await once(probe, 'close');
  return found;
}

type Labels = Record<string, string>;

export class WorkerMetrics {
  readonly #meter: MetricMeter;
  readonly #counters = new Map<MetricName, MetricCounter>();
  readonly #histograms = new Map<MetricName, MetricHistogram>();

  constructor(meter: MetricMeter, labels: { namespace: string; task_queue: string }) {
    this.#meter = meter.withTags(labels);
  }

  count(name: MetricName, labels: Labels, step = 1): void {
    const counter = this.#counters.get(name) ?? this.#meter.createCounter(name, undefined, METRICS[name].meaning);
    this.#counters.set(name, counter);
    counter.add(step, labels);
  }

  observe(name: MetricName, value: number, labels: Labels): void {
    const { unit, meaning }: MetricDefinition = METRICS[name];
    const histogram = this.#histograms.get(name) ?? this.#meter.createHistogram(name, 'float', unit, meaning);
    this.#histograms.set(name, histogram);
    histogram.record(value, labels);
  }

  setGauge(name: MetricName, value: number): void {
    this.#meter.createGauge(name, 'float', undefined, METRICS[name].meaning).set(value);
  }

  polled(verdict: Verdict): void {
    if (verdict === 'deferred') this.count('role_build_polls_put_off', {});
    else this.count('role_build_polls', { answer: verdict });
  }

  buildApiCalled(call: { method: string; status: number | undefined; durationMs: number }): void {
    const status = call.status === undefined ? 'none' : `${Math.trunc(call.status / 100)}xx`;
    this.observe('role_build_api_request_duration', call.durationMs / 1000, { method: call.method, status });
  }

  /** Starts counters at zero; otherwise Prometheus does not see the first step of a counter as an increase. */
  beginAtZero(): void {
    const ended = [
      ...END_STATUSES.flatMap((outcome) => {
        const causes = outcome === 'FAILED' ? Object.keys(FAILURES) : ['none'];
        return causes.map((cause) => ({ outcome, cause }));
      }),
      ...REFUSALS.map((cause) => ({ outcome: 'REFUSED', cause })),
    ];
    for (const labels of ended) this.count('role_build_ended', labels, 0);
    for (const answer of ['undecided', 'succeeded', 'failed']) this.count('role_build_polls', { answer }, 0);
    this.count('role_build_polls_put_off', {}, 0);
    this.count('role_build_directory_rounds_failed', {}, 0);
    for (const record of ['status', 'history']) {
      this.count('role_build_records_contested', { record }, 0);
      this.count('role_build_last_write_rounds_failed', { record }, 0);
    }
  }

  /** Sinks for workflow code. They are not called on replay. */
  sinks(): InjectedSinks<Sinks> {
    return {
      metrics: {
        count: { fn: (_info, name: MetricName, labels: Labels) => this.count(name, labels) },
        observe: {
          fn: (_info, name: MetricName, value: number, labels: Labels) => this.observe(name, value, labels),
        },
      },
    };
  }
}
