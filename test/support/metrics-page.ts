/** Reads a worker's metrics page. https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { until } from './until.ts';

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface MetricsPage {
  text: string;
  samples: Sample[];
  /** Sums the samples of a name with these labels; `undefined` if there are none. */
  sum(name: string, labels?: Record<string, string>): number | undefined;
}

/** Waits until the page shows something; a worker counts shortly after the fact. @throws with the page on timeout */
export async function metricsOnce(metricsUrl: string, shows: (page: MetricsPage) => boolean): Promise<MetricsPage> {
  let page = await readMetrics(metricsUrl);
  const isShown = async () => shows((page = await readMetrics(metricsUrl)));
  await until('the metrics page shows it', isShown).catch((err: unknown) => {
    throw new Error(page.text, { cause: err });
  });
  return page;
}

export async function readMetrics(metricsUrl: string): Promise<MetricsPage> {
  const answer = await fetch(`${metricsUrl}/metrics`);
  const text = await answer.text();
  const samples = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): Sample => {
      const [, name = '', labels = '', value = ''] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, of]) => [key, of] as const);
      return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
    });
  return {
    text,
    samples,
    sum: (name, wanted = {}) => {
      const found = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(wanted).every(([key, value]) => sample.labels[key] === value),
      );
      return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
    },
  };
}
