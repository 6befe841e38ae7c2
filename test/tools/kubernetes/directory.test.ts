import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readDirectorySettings } from '../../../src/config/settings.ts';
import { containerOf, ofKind, podOf } from './objects.ts';
import { render } from './render.ts';

for (const kind of ['keda', 'worker-controller']) {
  it(`only workers get the directory's settings and its Secret's files, with ${kind}`, async () => {
    const objects = await render('production', ['setup', kind, 'directory']);
    const settings = ofKind(objects, 'ConfigMap').find(({ metadata }) =>
      metadata.name.startsWith('directory-settings'),
    );
    const pod = podOf(objects, 'worker');
    const mount = containerOf(pod).volumeMounts?.find(({ name }) => name === 'directory');
    const { secret } = pod.spec.volumes?.find(({ name }) => name === 'directory') ?? {};
    assert.deepEqual(secret, { secretName: 'directory', defaultMode: 0o440 });
    assert.equal(mount?.readOnly, true);
    const { env = [], envFrom = [] } = containerOf(pod);
    const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
    const directory = readDirectorySettings({ ...settings?.data, ...own });
    assert.equal(directory?.DIRECTORY_PASSWORD_FILE, `${mount.mountPath}/password`);
    assert.equal(directory.DIRECTORY_CA_FILE, `${mount.mountPath}/ca.pem`);
    assert.equal(envFrom.at(-1)?.configMapRef?.name, settings?.metadata.name);
    for (const name of ['codec-server', 'setup'])
      assert.ok(!JSON.stringify(podOf(objects, name)).includes('directory'));
  });
}

it("workers may connect to the directory's port", async () => {
  const objects = await render('production', ['setup', 'directory']);
  const policy = ofKind(objects, 'NetworkPolicy').find(({ metadata }) => metadata.name === 'worker-directory');
  assert.deepEqual(policy?.spec.podSelector.matchLabels, { 'app.kubernetes.io/name': 'worker' });
  assert.deepEqual(
    policy.spec.egress?.flatMap(({ ports }) => ports),
    [{ protocol: 'TCP', port: 636 }],
  );
});
