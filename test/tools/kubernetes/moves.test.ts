/** Compares the manifests with what docs/kubernetes.md tells users to type between two states. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { parse, stringify } from 'yaml';
import { ofKind, type KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { schemaFaults } from './schemas.ts';
import { VARIANTS } from './variants.ts';

const docs = readFileSync(new URL('../../../docs/kubernetes.md', import.meta.url), 'utf8');

function found(pattern: RegExp): string {
  const text = pattern.exec(docs)?.[1];
  assert.ok(text, String(pattern));
  return text;
}

it('KEDA gets a Deployment that already has no `replicas`, so that its component changes nothing in it', async () => {
  const filter = found(/view-last-applied deployment\/worker --output yaml \| (sed '[^']+') \|/);
  const [before] = ofKind(await render('production', ['setup']), 'Deployment').filter(isWorker);
  const [after] = ofKind(await render('production', ['setup', 'keda']), 'Deployment').filter(isWorker);
  assert.ok((before?.spec.replicas ?? 0) >= 2, 'a first install begins with two at least');
  assert.deepEqual(parse(execFileSync('sh', ['-c', filter], { input: stringify(before), encoding: 'utf8' })), after);
});

it('back from KEDA, the overlay sets the number of replicas', async () => {
  const additions = parse(found(/```yaml\n( *replicas:\n.*?)```/s)) as Record<string, unknown[]>;
  const objects = await render('production', ['setup'], additions);
  assert.equal(ofKind(objects, 'Deployment').find(isWorker)?.spec.replicas, 6);
});

it('the patch that leaves out the steps fits the schema of a WorkerDeployment', async () => {
  const { spec: patch } = JSON.parse(found(/patch workerdeployment worker --type merge --patch '([^']+)'/)) as {
    spec: { rollout: object };
  };
  const [worker] = ofKind(await render('production', ['worker-controller']), 'WorkerDeployment');
  assert.ok(worker);
  const spec = { ...worker.spec, rollout: { ...worker.spec.rollout, ...patch.rollout } };
  assert.deepEqual(await schemaFaults([{ ...worker, spec }]), []);
});

it('a WorkerDeployment has only fields that the controller copies', async () => {
  const [worker] = ofKind(await render('production', ['worker-controller']), 'WorkerDeployment');
  const fields = ['minReadySeconds', 'replicas', 'rollout', 'sunset', 'template', 'workerOptions'];
  assert.deepEqual(Object.keys(worker?.spec ?? {}).sort(), fields);
});

it('pruning covers every kind that a component adds, except what old pods and running builds need', async () => {
  const prune = docs.slice(docs.indexOf('### Prune'), docs.indexOf('## KEDA'));
  const kinds = [...prune.matchAll(/[`=]([\w.]+\/v\w+\/[A-Z]\w+)/g)].map(([, kind = '']) => kind);
  const kindOf = ({ apiVersion, kind }: KubernetesObject) => `${apiVersion.replace(/^v1$/, 'core/v1')}/${kind}`;
  const bare = new Set((await render('production', [])).map((one) => `${kindOf(one)} ${one.metadata.name}`));
  const brought = new Set<string>();
  for (const { overlay, components } of VARIANTS.filter((variant) => variant.overlay === 'production')) {
    for (const one of await render(overlay, components)) {
      if (!bare.has(`${kindOf(one)} ${one.metadata.name}`)) brought.add(kindOf(one));
    }
  }
  // Kubernetes deletes the Job automatically; the last two have steps of their own.
  const others = ['core/v1/ConfigMap', 'batch/v1/Job', 'temporal.io/v1alpha1/Connection'];
  others.push('temporal.io/v1alpha1/WorkerDeployment');
  assert.deepEqual([...brought].filter((kind) => !others.includes(kind)).sort(), kinds.sort());
});

it('a Job of set-up is deleted automatically', async () => {
  const job = (await render('production', ['setup'])).find(({ kind }) => kind === 'Job');
  assert.equal((job?.spec as { ttlSecondsAfterFinished: number } | undefined)?.ttlSecondsAfterFinished, 3600);
  assert.match(docs, /The\s+Job\s+goes\s+an\s+hour\s+after\s+its\s+end/);
});

function isWorker({ metadata }: { metadata: { name: string } }): boolean {
  return metadata.name === 'worker';
}
