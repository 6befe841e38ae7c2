import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startChild } from '../../../dev/servers/child.ts';
import { freePort } from '../../../dev/servers/ports.ts';
import { findPrometheus } from '../../../dev/servers/prometheus.ts';
import { until } from '../../support/stack.ts';

export interface Prometheus {
  /** Calls its HTTP API. https://prometheus.io/docs/prometheus/latest/querying/api/ */
  get<T>(path: string, parameters?: Record<string, string>): Promise<T>;
  /** Returns the result of an instant query. @throws if there is no result */
  query(expression: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]>;
  stop(): Promise<void>;
}

/**
 * Starts a real Prometheus on loopback that scrapes these metrics pages every second and has these rules. Its targets
 * have a label `namespace`, as with Kubernetes' discovery; the labels of the pages take precedence over it.
 */
export async function startPrometheus(metricsUrls: readonly string[], ruleFile: string): Promise<Prometheus> {
  const executable = await findPrometheus();
  const folder = await mkdtemp(join(tmpdir(), 'role-build-prometheus-'));
  const targets = metricsUrls.map((url) => new URL(url).host);
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [ruleFile],
    scrape_configs: [
      {
        job_name: 'iam-orchestrator',
        honor_labels: true,
        static_configs: [{ targets, labels: { namespace: 'of-kubernetes' } }],
      },
    ],
  };
  await writeFile(join(folder, 'prometheus.yml'), stringify(config));
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = await startChild(executable, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
  ]);
  const get = async <T>(path: string, parameters: Record<string, string> = {}): Promise<T> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`);
    return data;
  };
  const stop = async () => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    await until('Prometheus is ready', isReady);
  } catch (err) {
    await stop();
    throw new Error(`Prometheus did not start:\n${child.output()}`, { cause: err });
  }
  return {
    get,
    query: async (query) =>
      (await get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>('query', { query })).result,
    stop,
  };
}
