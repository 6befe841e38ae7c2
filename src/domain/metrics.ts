/** The metrics that the worker exposes beside those of Temporal's SDK. No label identifies a single build. */

export interface MetricDefinition {
  kind: 'counter' | 'gauge' | 'histogram';
  /** Unit of a histogram. Prometheus expects it in the metric's name. */
  unit?: 'seconds';
  /** In addition to `namespace` and `task_queue`, which every metric has. */
  labels: readonly string[];
  meaning: string;
  /** Upper bounds of a histogram. */
  buckets?: readonly number[];
}

type Of = (meaning: string, ...labels: readonly string[]) => MetricDefinition;
const counter: Of = (meaning, ...labels) => ({ kind: 'counter', labels, meaning });
const gauge: Of = (meaning, ...labels) => ({ kind: 'gauge', labels, meaning });
const seconds = (labels: readonly string[], meaning: string, buckets: readonly number[]): MetricDefinition => {
  return { kind: 'histogram', unit: 'seconds', labels, meaning, buckets };
};

export const METRICS = {
  role_build_ended: counter(
    'builds that ended, by `outcome` (`COMPLETE`, `FAILED`, `CANCELLED`, `REFUSED`) and `cause` (a failure or refusal by its name, else `none`)',
    'outcome',
    'cause',
  ),
  role_build_duration: seconds(
    ['outcome'],
    'from the start of a build to its recorded end',
    // 1, 2, 5, 10 and 30 minutes; 1, 3 and 12 hours; 1, 3, 7 and 30 days.
    [60, 120, 300, 600, 1_800, 3_600, 10_800, 43_200, 86_400, 259_200, 604_800, 2_592_000],
  ),
  role_build_polls: counter('polls that were answered, by result: `undecided`, `succeeded`, `failed`', 'answer'),
  role_build_polls_put_off: counter(
    "polls that were deferred to the build's next interval, since the worker had reached `BUILD_API_MAX_POLLS_PER_SECOND`",
  ),
  role_build_api_request_duration: seconds(
    ['method', 'status'],
    'calls of the build API, from the request to the last byte, by `method` and `status` (`2xx` to `5xx`, or `none` if no answer came)',
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60],
  ),
  role_build_records_contested: counter(
    'records (`status`, `history`) that were left alone because a newer job holds them',
    'record',
  ),
  role_build_last_write_rounds_failed: counter(
    'rounds of three attempts at a final record update that failed; the next comes 30 s to 10 min later',
    'record',
  ),
  role_build_directory_rounds_failed: counter(
    'rounds of three attempts at the group of a role that is built; the next comes 30 s to 10 min later',
  ),
  role_build_directory_password_refused: gauge(
    '1 while this worker does not bind, since the directory refused the password that its file holds',
  ),
  role_build_last_writes_waiting: gauge(
    'builds that have ended and whose records do not say so yet, as Temporal counts them: each worker reports the same number',
  ),
  role_build_in_flight: gauge('builds that run, as Temporal counts them: each worker reports the same number'),
  role_build_counted_timestamp_seconds: gauge(
    'when this worker last had both counts from Temporal, in seconds since 1970',
  ),
} satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
