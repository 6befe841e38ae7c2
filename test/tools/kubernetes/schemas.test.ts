/** Every document that can be rendered, against Kubernetes' schemas and those of the custom resources. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { schemaFaults } from './schemas.ts';
import { VARIANTS } from './variants.ts';

describe('the manifests fit their schemas', () => {
  for (const { title, overlay, components } of VARIANTS) {
    test(title, async () => {
      const objects = await render(overlay, components);
      assert.ok(objects.length > 10);
      assert.deepEqual(await schemaFaults(objects), []);
      assert.deepEqual(await schemaFaults(podsOfWorkerDeployments(objects)), []);
    });
  }

  test('which refuse a field that there is not, in Kubernetes and in the custom resources', async () => {
    for (const [kind, at] of [
      ['Deployment', (spec: never) => (spec as { template: { spec: object } }).template.spec],
      ['ScaledObject', (spec: never) => (spec as { scaleTargetRef: object }).scaleTargetRef],
      ['Connection', (spec: never) => spec as object],
      ['WorkerDeployment', (spec: never) => (spec as { rollout: object }).rollout],
    ] as const) {
      const objects = await render(
        'production',
        kind === 'ScaledObject' ? ['keda'] : kind === 'Deployment' ? [] : ['worker-controller'],
      );
      const one = objects.find((object) => object.kind === kind);
      assert.ok(one, kind);
      Object.assign(at(one.spec as never), { terminationGracePeriodSecnods: 1 });
      const [fault] = await schemaFaults([one]);
      assert.match(fault ?? '', new RegExp(`^${kind} .*terminationGracePeriodSecnods`));
    }
  });
});

/** The controller makes Deployments of them. */
function podsOfWorkerDeployments(objects: readonly KubernetesObject[]): KubernetesObject[] {
  return objects
    .filter(({ kind }) => kind === 'WorkerDeployment')
    .map(({ metadata, spec }) => {
      const { template } = spec as { template: { metadata: { labels: object } } };
      return {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: { selector: { matchLabels: template.metadata.labels }, template },
      };
    });
}
