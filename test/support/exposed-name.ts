import { METRICS, type MetricDefinition, type MetricName } from '../../src/domain/metrics.ts';

/** Returns a metric's name on the metrics page. A histogram's series also end in `_bucket`, `_sum` and `_count`. */
export function exposedName(name: MetricName): string {
  const { kind, unit }: MetricDefinition = METRICS[name];
  if (kind === 'counter') return `${name}_total`;
  return unit === undefined ? name : `${name}_${unit}`;
}
