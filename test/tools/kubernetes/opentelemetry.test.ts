import assert from 'node:assert/strict';
import { it } from 'node:test';
import { containerOf, ofKind, podOf } from './objects.ts';
import { render } from './render.ts';

it('spans go to a collector that the component lets only workers reach', async () => {
  const objects = await render('production', ['setup', 'opentelemetry']);
  const settings = ofKind(objects, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith('worker-settings'));
  const { hostname, port } = new URL(settings?.data?.['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '');
  const policy = ofKind(objects, 'NetworkPolicy').find(({ metadata }) => metadata.name === 'worker-traces');
  assert.deepEqual(policy?.spec.podSelector.matchLabels, { 'app.kubernetes.io/name': 'worker' });
  const namespace = { matchLabels: { 'kubernetes.io/metadata.name': hostname.split('.')[1] } };
  const rule = { to: [{ namespaceSelector: namespace }], ports: [{ protocol: 'TCP', port: Number(port) }] };
  assert.deepEqual(policy.spec.egress, [rule]);
  assert.equal(containerOf(podOf(objects, 'worker')).envFrom?.at(-1)?.configMapRef?.name, settings?.metadata.name);
});
