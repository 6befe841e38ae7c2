/**
 * `npm run prometheus-rule`: generates the Prometheus Operator's copy of the alert rules. A copy is needed because
 * Kustomize can't put a file into an object; a test compares it with deploy/observability/alerts.yaml.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const path = (relative: string) => fileURLToPath(new URL(`../deploy/${relative}`, import.meta.url));
const RULES = path('observability/alerts.yaml');
export const PROMETHEUS_RULE = path('kubernetes/components/prometheus-operator/prometheus-rule.yaml');

const HEAD = `# Made of deploy/observability/alerts.yaml by \`npm run prometheus-rule\`; change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: role-builds
  labels: { app.kubernetes.io/name: worker }
spec:
`;

export async function prometheusRule(): Promise<string> {
  const rules = await readFile(RULES, 'utf8');
  const indented = rules.slice(rules.indexOf('groups:')).replaceAll(/^(?=.)/gm, '  ');
  return format(`${HEAD}${indented}`, { ...(await resolveConfig(PROMETHEUS_RULE)), parser: 'yaml' });
}

if (import.meta.main) await writeFile(PROMETHEUS_RULE, await prometheusRule());
