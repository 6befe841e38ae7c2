/** Checks every object that can be rendered with the schemas of Kubernetes and of the custom resources. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { schemaFaults } from './schemas.ts';
import { VARIANTS } from './variants.ts';

describe('the manifests fit their schemas', () => {
  it('the manifests fit their schemas in every variant', async () => {
    const variants = await Promise.all(VARIANTS.map(({ overlay, components }) => render(overlay, components)));
    for (const objects of variants) assert.ok(objects.length > 10);
    const objects = [...variants, ...variants.map(podsOfWorkerDeployments)].flat();
    // Most objects are the same in many variants.
    const distinct = new Map(objects.map((one) => [JSON.stringify(one), one]));
    assert.deepEqual(await schemaFaults([...distinct.values()]), []);
  });

  it('the schemas refuse an unknown field, in Kubernetes and in the custom resources', async () => {
    const misspelt = await Promise.all(
      (
        [
          ['Deployment', [], (spec: never) => (spec as { template: { spec: object } }).template.spec],
          ['ScaledObject', ['keda'], (spec: never) => (spec as { scaleTargetRef: object }).scaleTargetRef],
          ['Connection', ['worker-controller'], (spec: never) => spec as object],
          ['WorkerDeployment', ['worker-controller'], (spec: never) => (spec as { rollout: object }).rollout],
        ] as const
      ).map(async ([kind, components, at]) => {
        const one = (await render('production', components)).find((object) => object.kind === kind);
        assert.ok(one, kind);
        Object.assign(at(one.spec as never), { terminationGracePeriodSecnods: 1 });
        return one;
      }),
    );
    const faults = await schemaFaults(misspelt);
    for (const { kind } of misspelt) {
      const pattern = new RegExp(`^${kind} .*terminationGracePeriodSecnods`);
      assert.ok(
        faults.some((fault) => pattern.test(fault)),
        kind,
      );
    }
  });
});

/** Makes Deployments from WorkerDeployments, as the controller does. */
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
