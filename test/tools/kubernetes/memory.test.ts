/** Compares the memory limits of pods with what the programs use. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { containerOf, podOf, podTemplates, type KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { OUR_PROGRAMS, VARIANTS } from './variants.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

for (const { title, overlay, components } of VARIANTS) {
  describe(title, () => {
    let objects: KubernetesObject[];
    before(async () => {
      objects = await render(overlay, components);
    });

    it('every pod requests resources, and as much memory as its limit', () => {
      for (const { name, pod } of podTemplates(objects)) {
        const { requests, limits } = containerOf(pod).resources ?? {};
        assert.ok(requests?.['cpu'] && requests['memory'], name);
        assert.equal(requests['memory'], limits?.['memory'], name);
      }
    });

    it("a heap leaves room for the rest of its container's memory", () => {
      for (const name of OUR_PROGRAMS.filter((one) => podTemplates(objects).some((pod) => pod.name === one))) {
        const { env, resources } = containerOf(podOf(objects, name));
        const heap = /^--max-old-space-size=(\d+)( |$)/.exec(
          env?.find((one) => one.name === 'NODE_OPTIONS')?.value ?? '',
        );
        const [, size, unit] = /^(\d+)(Mi|Gi)$/.exec(resources?.limits?.['memory'] ?? '') ?? [];
        assert.ok(Number(heap?.[1]) <= Number(size) * (unit === 'Gi' ? 1024 : 1) * 0.75, name);
      }
    });

    it('as many builds as a worker caches, and their replays, fit into its memory', () => {
      // Measured values: docs/benchmarks.md.
      const [aloneMib, buildMib] = [218, 0.45];
      const { resources } = containerOf(podOf(objects, 'worker'));
      assert.equal(resources?.limits?.['memory'], '1Gi');
      const kept = Number(/^WORKER_MAX_CACHED_BUILDS=(\d+)$/m.exec(read('deploy/kubernetes/base/worker.env'))?.[1]);
      assert.ok(aloneMib + buildMib * kept < 1024 * 0.75);
    });
  });
}
