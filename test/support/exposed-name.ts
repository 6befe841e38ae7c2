import { METRICS, type MetricDefinition, type MetricName } from '../../src/domain/metrics.ts';

/** As it stands on the metrics page; a histogram's series end in `_bucket`, `_sum` and `_count`. */
export function exposedName(name: MetricName): string {
  const { kind, unit }: MetricDefinition = METRICS[name];
  if (kind === 'counter') return `${name}_total`;
  return unit === undefined ? name : `${name}_${unit}`;
}
