/** Scraping, alerts and dashboard in a cluster, with the Prometheus Operator or a Prometheus that discovers pods. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { findPromtool } from '../../../dev/servers/prometheus.ts';
import { PROMETHEUS_RULE, prometheusRule } from '../../../scripts/prometheus-rule.ts';
import { containerOf, isSelected, ofKind, podOf, podTemplates, type KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { schemaFaults } from './schemas.ts';
import { VARIANTS } from './variants.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFile(new URL(path, root), 'utf8');

interface PodMonitorSpec {
  selector: { matchLabels: Record<string, string> };
  podMetricsEndpoints: { port: string; path: string; honorLabels: boolean }[];
}
interface RuleSpec {
  groups: { rules: { annotations: { runbook_url: string } }[] }[];
}

function only(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const [one, ...others] = objects.filter((object) => object.kind === kind);
  assert.ok(one, kind);
  assert.equal(others.length, 0, kind);
  return one;
}

/** Returns the YAML block of docs/kubernetes.md that has this line. */
async function snippetWith(line: string): Promise<string> {
  const found = [...(await read('docs/kubernetes.md')).matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
  const snippet = found.find((text) => text.includes(line));
  assert.ok(snippet, line);
  return snippet;
}

for (const { title, overlay, components } of VARIANTS) {
  if (!components?.includes('prometheus-operator')) continue;
  describe(title, () => {
    let objects: KubernetesObject[];
    before(async () => {
      objects = await render(overlay, components);
    });

    it("only the workers' metrics are scraped, under their own labels", () => {
      const { selector, podMetricsEndpoints } = only(objects, 'PodMonitor').spec as PodMonitorSpec;
      const selected = podTemplates(objects).filter(({ pod }) => isSelected(selector.matchLabels, pod));
      assert.deepEqual(
        selected.map(({ name }) => name),
        ['worker'],
      );
      const [endpoint, ...others] = podMetricsEndpoints;
      assert.ok(endpoint);
      assert.equal(others.length, 0);
      assert.equal(endpoint.path, '/metrics');
      assert.equal(endpoint.honorLabels, true);
      const worker = podOf(objects, 'worker');
      assert.ok(containerOf(worker).ports?.some(({ name }) => name === endpoint.port));
      const letsIn = ofKind(objects, 'NetworkPolicy')
        .filter(({ spec }) => isSelected(spec.podSelector.matchLabels, worker))
        .flatMap(({ spec }) => spec.ingress ?? [])
        .filter(({ ports }) => ports?.some(({ port }) => port === endpoint.port));
      const monitoring = { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } };
      assert.deepEqual(
        letsIn.map(({ from }) => from),
        [[{ namespaceSelector: monitoring }]],
      );
    });

    it('the rules and the dashboard are equal to those in deploy/observability', async () => {
      assert.deepEqual(only(objects, 'PrometheusRule').spec, parse(await read('deploy/observability/alerts.yaml')));
      const dashboard = ofKind(objects, 'ConfigMap').find(({ metadata }) => metadata.labels?.['grafana_dashboard']);
      // The name has no hash, so that a changed dashboard replaces the previous one.
      assert.equal(dashboard?.metadata.name, 'role-builds-dashboard');
      assert.equal(dashboard.metadata.labels?.['grafana_dashboard'], '1');
      assert.deepEqual(dashboard.data, {
        'role-builds.json': await read('deploy/observability/dashboard.json'),
      });
    });
  });
}

it('the schemas refuse an unknown field', async () => {
  const objects = await render('production', ['prometheus-operator']);
  const monitor = only(objects, 'PodMonitor');
  Object.assign((monitor.spec as PodMonitorSpec).podMetricsEndpoints[0] ?? {}, { honourLabels: true });
  const rule = only(objects, 'PrometheusRule');
  Object.assign((rule.spec as RuleSpec).groups[0]?.rules[0] ?? {}, { honourLabels: true });
  const [ofMonitor, ofRule] = await schemaFaults([monitor, rule]);
  assert.match(ofMonitor ?? '', /^PodMonitor .*honourLabels/);
  assert.match(ofRule ?? '', /^PrometheusRule .*honourLabels/);
});

it('the copy of the rules is up to date with `npm run prometheus-rule`', async () => {
  assert.equal(await readFile(PROMETHEUS_RULE, 'utf8'), await prometheusRule());
});

it("an overlay as in the docs gives each alert an address, and all objects the Helm chart's label", async () => {
  const additions = parse(await snippetWith('fieldPaths: [spec.groups')) as Record<string, unknown[]>;
  const objects = await render('production', ['prometheus-operator'], additions);
  const rule = only(objects, 'PrometheusRule');
  const urls = (rule.spec as RuleSpec).groups.flatMap(({ rules }) =>
    rules.map(({ annotations }) => annotations.runbook_url),
  );
  assert.ok(urls.length > 10);
  for (const url of urls) assert.match(url, /^https:\/\/git\.example\.com\/\S+\/docs\/operations\.md#rolebuild[a-z]+$/);
  for (const { metadata } of [rule, only(objects, 'PodMonitor')]) {
    assert.equal(metadata.labels?.['release'], 'kube-prometheus-stack');
  }
  assert.deepEqual(await schemaFaults(objects), []);
});

it('a Prometheus without the operator accepts the configuration in the docs, which scrapes the same pods', async () => {
  const text = await snippetWith('kubernetes_sd_configs:');
  interface Config {
    rule_files: string[];
    scrape_configs: {
      honor_labels: boolean;
      relabel_configs: { action?: string; regex?: string }[];
      kubernetes_sd_configs?: unknown;
    }[];
  }
  const config = parse(text) as Config;
  assert.deepEqual(config.rule_files, ['alerts.yaml']);
  const [scrape] = config.scrape_configs;
  assert.equal(scrape?.honor_labels, true);
  assert.deepEqual(scrape.kubernetes_sd_configs, [{ role: 'pod', namespaces: { names: ['iam-orchestrator'] } }]);
  // Debian's Prometheus is built without Kubernetes' discovery.
  delete scrape.kubernetes_sd_configs;
  const objects = await render('production', []);
  const worker = podOf(objects, 'worker');
  const port = containerOf(worker).ports?.find(({ containerPort }) => containerPort === 9464)?.name;
  const keep = scrape.relabel_configs.find(({ action }) => action === 'keep');
  assert.equal(keep?.regex, `${worker.metadata.labels['app.kubernetes.io/name']};${port}`);
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-config-'));
  try {
    await writeFile(join(folder, 'prometheus.yml'), stringify(config));
    await writeFile(join(folder, 'alerts.yaml'), await read('deploy/observability/alerts.yaml'));
    await promisify(execFile)(await findPromtool(), ['check', 'config', join(folder, 'prometheus.yml')]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
