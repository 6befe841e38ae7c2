/** Compares the manifests with what the programs do. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { execFormOf, readDockerfile, stageOf } from '../../deploy/dockerfile.ts';
import { containerOf, isSelected, ofKind, podOf, podTemplates, type KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { OUR_PROGRAMS, VARIANTS } from './variants.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

for (const { title, overlay, components } of VARIANTS) {
  describe(title, () => {
    let objects: KubernetesObject[];
    before(async () => {
      objects = await render(overlay, components);
    });

    it('everything is in the one namespace, which holds pods to the restricted standard', () => {
      const [namespace, ...others] = ofKind(objects, 'Namespace');
      assert.ok(namespace);
      assert.equal(others.length, 0);
      assert.equal(namespace.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
      for (const { kind, metadata } of objects) {
        if (kind !== 'Namespace') assert.equal(metadata.namespace, namespace.metadata.name, `${kind} ${metadata.name}`);
      }
    });

    it('one label selects everything', () => {
      for (const { kind, metadata } of objects) {
        const partOf = metadata.labels?.['app.kubernetes.io/part-of'];
        assert.equal(partOf, 'iam-orchestrator', `${kind} ${metadata.name}`);
      }
    });

    it('a second apply changes no Deployment, since its strategy has the type that Kubernetes would add', () => {
      for (const { metadata, spec } of ofKind(objects, 'Deployment')) {
        if (spec.strategy?.rollingUpdate) assert.equal(spec.strategy.type, 'RollingUpdate', metadata.name);
      }
    });

    it("no pod can change its image, gain privileges or call Kubernetes' API", () => {
      for (const { name, pod } of podTemplates(objects)) {
        const { securityContext, automountServiceAccountToken, enableServiceLinks, hostNetwork, volumes } = pod.spec;
        assert.equal(securityContext?.['runAsNonRoot'], true, name);
        assert.ok(Number(securityContext?.['runAsUser']) > 0, name);
        assert.deepEqual(securityContext?.['seccompProfile'], { type: 'RuntimeDefault' }, name);
        assert.equal(automountServiceAccountToken, false, name);
        assert.equal(enableServiceLinks, false, name);
        assert.equal(hostNetwork, undefined, name);
        for (const volume of volumes ?? []) assert.ok('secret' in volume || 'emptyDir' in volume, name);
        assert.deepEqual(containerOf(pod).securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
      for (const one of ofKind(objects, 'ServiceAccount')) assert.equal(one.automountServiceAccountToken, false);
    });

    it('pods that run the command line can write to one small folder only', () => {
      for (const { name, pod } of podTemplates(objects).filter((one) => OUR_PROGRAMS.includes(one.name))) {
        const writable = (containerOf(pod).volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true);
        const expected = name === 'codec-server' ? [] : [{ name: 'tmp', mountPath: '/tmp' }];
        assert.deepEqual(writable, expected, name);
        const volume = pod.spec.volumes?.find((one) => one['name'] === 'tmp');
        if (expected.length > 0) assert.deepEqual(volume?.['emptyDir'], { sizeLimit: '64Mi' }, name);
      }
    });

    it('programs run with node as in the image, never with npm', () => {
      const stage = stageOf(readDockerfile(), 'app');
      assert.deepEqual(containerOf(podOf(objects, 'worker')).command, execFormOf(stage, 'CMD'));
      const user = stageOf(readDockerfile(), stage.from).instructions.findLast(({ name }) => name === 'USER')?.args;
      for (const { name, pod } of podTemplates(objects).filter((one) => OUR_PROGRAMS.includes(one.name))) {
        const { command = [] } = containerOf(pod);
        assert.equal(command[0], 'node');
        assert.ok(existsSync(new URL(String(command[1]).replace(/^dist\/(.+)\.js$/, 'src/$1.ts'), root)), name);
        const { runAsUser, runAsGroup } = pod.spec.securityContext as Record<string, number>;
        assert.equal(`${runAsUser}:${runAsGroup}`, user);
      }
    });

    it('images have an exact version', () => {
      for (const { pod } of podTemplates(objects)) {
        assert.match(containerOf(pod).image, /:(\d+\.\d+\.\d+|local)$/);
        if (overlay === 'production') assert.doesNotMatch(containerOf(pod).image, /:local$/);
      }
    });

    it('a worker has enough time to stop', () => {
      const force = Number(/force: '(\d+) seconds'/.exec(read('src/worker/run.ts'))?.[1]);
      const grace = Number(/grace: '(\d+) seconds'/.exec(read('src/worker/run.ts'))?.[1]);
      assert.ok(grace < force);
      assert.ok((podOf(objects, 'worker').spec.terminationGracePeriodSeconds ?? 0) > force);
      const codecServer = Number(/STOP_MS = ([\d_]+)/.exec(read('src/codec-server.ts'))?.[1]?.replace('_', '')) / 1000;
      assert.ok((podOf(objects, 'codec-server').spec.terminationGracePeriodSeconds ?? 0) > codecServer);
    });

    it('probes use ports on which the programs listen', () => {
      for (const { name, pod } of podTemplates(objects)) {
        const container = containerOf(pod);
        for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
          const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
          if (port !== undefined)
            assert.ok(
              container.ports?.some((one) => one.name === port),
              name,
            );
        }
        for (const [variable, port] of [
          ['HEALTH_ADDRESS', 'health'],
          ['METRICS_ADDRESS', 'metrics'],
          ['CODEC_SERVER_ADDRESS', 'http'],
        ]) {
          const address = container.env?.find((one) => one.name === variable)?.value;
          if (address === undefined) continue;
          const listening = container.ports?.find((one) => one.name === port)?.containerPort;
          assert.match(address, new RegExp(`^(0\\.0\\.0\\.0|127\\.0\\.0\\.1):${listening}$`), name);
        }
      }
      const { startupProbe, livenessProbe, readinessProbe } = containerOf(podOf(objects, 'worker'));
      assert.deepEqual(
        [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet),
        ['/livez', '/livez', '/readyz'].map((path) => ({ path, port: 'health' })),
      );
    });

    it('services, budgets and spreads select existing pods', () => {
      const pods = podTemplates(objects).map(({ pod }) => pod);
      for (const { spec, metadata } of ofKind(objects, 'Service')) {
        const behind = pods.filter((pod) => isSelected(spec.selector, pod));
        assert.equal(behind.length, 1, metadata.name);
        const names = containerOf(behind[0] as never).ports?.map(({ name }) => name);
        for (const { targetPort } of spec.ports) assert.ok(names?.includes(String(targetPort)), metadata.name);
      }
      const budgets = ofKind(objects, 'PodDisruptionBudget');
      assert.deepEqual(budgets.map(({ metadata }) => metadata.name).sort(), ['codec-server', 'worker']);
      for (const { spec } of budgets) {
        assert.equal(pods.filter((pod) => isSelected(spec.selector.matchLabels, pod)).length, 1);
      }
      for (const name of ['worker', 'codec-server']) {
        const pod = podOf(objects, name);
        assert.ok((pod.spec.topologySpreadConstraints?.length ?? 0) > 0);
        for (const { labelSelector } of pod.spec.topologySpreadConstraints ?? []) {
          assert.ok(isSelected(labelSelector.matchLabels, pod));
        }
      }
    });

    it('a network policy denies everything, and the others name ports of pods', () => {
      const policies = ofKind(objects, 'NetworkPolicy');
      const deny = policies.find(({ metadata }) => metadata.name === 'default-deny');
      assert.deepEqual(deny?.spec, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
      const pods = podTemplates(objects).map(({ pod }) => pod);
      for (const { metadata, spec } of policies) {
        const selected = pods.filter((pod) => isSelected(spec.podSelector.matchLabels, pod));
        assert.ok(selected.length > 0, metadata.name);
        for (const { port } of spec.ingress?.flatMap(({ ports = [] }) => ports) ?? []) {
          for (const pod of selected) {
            assert.ok(
              containerOf(pod).ports?.some(({ name }) => name === port),
              `${metadata.name}: ${port}`,
            );
          }
        }
        for (const { to = [] } of spec.egress ?? []) {
          for (const { ipBlock } of to) {
            // The metadata service, which hands out credentials of the node's role.
            if (ipBlock?.cidr === '0.0.0.0/0') assert.deepEqual(ipBlock.except, ['169.254.0.0/16']);
          }
        }
      }
    });

    it('a worker may connect to Temporal, AWS, the build API and DNS, and accepts connections for health and metrics', () => {
      const pod = podOf(objects, 'worker');
      const rules = ofKind(objects, 'NetworkPolicy').filter(({ spec }) =>
        isSelected(spec.podSelector.matchLabels, pod),
      );
      const ports = (pick: 'egress' | 'ingress') => [
        ...new Set(
          rules.flatMap(({ spec }) => spec[pick]?.flatMap((rule) => rule.ports?.map(({ port }) => port)) ?? []),
        ),
      ];
      const settings = Object.assign({}, ...ofKind(objects, 'ConfigMap').map(({ data }) => data)) as Record<
        string,
        string
      >;
      const wanted = [
        settings['TEMPORAL_ADDRESS'] as string,
        settings['AWS_ENDPOINT_URL_DYNAMODB'] ?? 'https://dynamodb.eu-west-1.amazonaws.com',
        ...(settings['BUILD_API_ALLOWED_ORIGINS']?.split(',') ?? []),
        ...(settings['OTEL_EXPORTER_OTLP_ENDPOINT'] === undefined ? [] : [settings['OTEL_EXPORTER_OTLP_ENDPOINT']]),
        ...(pod.spec.volumes?.some(({ name }) => name === 'directory') ? ['directory:636'] : []),
      ].map((address) => Number(/:(\d+)$/.exec(address)?.[1] ?? 443));
      for (const port of [...wanted, 53]) assert.ok(ports('egress').includes(port), String(port));
      assert.deepEqual(
        ports('egress').filter((port) => ![...wanted, 53, 443].includes(Number(port))),
        [],
      );
      assert.deepEqual(ports('ingress'), ['health', 'metrics']);
    });

    it('nothing secret is in the tree', () => {
      assert.deepEqual(ofKind(objects, 'Secret'), []);
      const text = JSON.stringify(objects);
      for (const variable of ['ENCRYPTION_KEYS', 'ENCRYPTED_JWT', 'TEMPORAL_API_KEY"[:,]"value']) {
        assert.ok(!text.includes(`"${variable}"`), variable);
      }
    });

    it('all references exist: settings with the hash of their content, accounts', () => {
      const configMaps = ofKind(objects, 'ConfigMap')
        .filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === undefined)
        .map(({ metadata }) => metadata.name);
      for (const name of configMaps) assert.match(name, /-[a-z0-9]{10}$/);
      const accounts = ofKind(objects, 'ServiceAccount').map(({ metadata }) => metadata.name);
      for (const { name, pod } of podTemplates(objects).filter((one) => OUR_PROGRAMS.includes(one.name))) {
        assert.equal(pod.spec.serviceAccountName, name);
        assert.ok(accounts.includes(name));
        for (const { configMapRef } of containerOf(pod).envFrom ?? []) {
          if (configMapRef !== undefined) assert.ok(configMaps.includes(configMapRef.name), configMapRef.name);
        }
      }
    });

    it('an account has the role of its policy in deploy/iam, only on AWS', () => {
      for (const { metadata } of ofKind(objects, 'ServiceAccount')) {
        const role = metadata.annotations?.['eks.amazonaws.com/role-arn'];
        if (overlay === 'local') {
          assert.equal(role, undefined);
          continue;
        }
        assert.equal(role, `arn:aws:iam::123456789012:role/iam-orchestrator-${metadata.name}`);
        // The codec server calls only KMS, as the table there says.
        if (metadata.name === 'codec-server')
          assert.match(read('deploy/iam/README.md'), /^\| codec server +\| `kms:Decrypt`/m);
        else assert.ok(existsSync(new URL(`deploy/iam/${metadata.name}.json`, root)), metadata.name);
      }
    });

    it('KEDA and the Worker Controller use the same Temporal as the workers', () => {
      const settings = Object.assign({}, ...ofKind(objects, 'ConfigMap').map(({ data }) => data)) as Record<
        string,
        string
      >;
      for (const { spec } of ofKind(objects, 'Connection')) {
        assert.equal(spec.hostPort, settings['TEMPORAL_ADDRESS']);
      }
      for (const { spec } of ofKind(objects, 'WorkerDeployment')) {
        assert.equal(spec.workerOptions.temporalNamespace, settings['TEMPORAL_NAMESPACE']);
        const { env = [], volumeMounts } = containerOf(podOf(objects, 'worker'));
        // The controller adds these variables, so setting them here would duplicate them.
        assert.deepEqual(
          env.filter(({ name }) => name.startsWith('TEMPORAL_')),
          [],
        );
        assert.ok(!volumeMounts?.some(({ mountPath }) => mountPath.startsWith('/etc/temporal')));
      }
      for (const { spec } of ofKind(objects, 'ScaledObject')) {
        const target = ofKind(objects, 'Deployment').find(({ metadata }) => metadata.name === spec.scaleTargetRef.name);
        assert.ok(target);
        assert.equal(target.spec.replicas, undefined);
        assert.ok(spec.minReplicaCount > 0);
        const [trigger] = spec.triggers;
        assert.equal(trigger?.type, 'temporal');
        const named = Object.entries(trigger.metadata).filter(
          ([name]) => name.endsWith('FromEnv') && name !== 'apiKeyFromEnv',
        );
        assert.equal(named.length, 3);
        for (const [, variable] of named) assert.ok(settings[variable], variable);
      }
    });
  });
}

it('in production a worker connects with TLS whenever it has a credential', async () => {
  for (const [component, credential] of [
    ['temporal-api-key', { TEMPORAL_API_KEY: 'a-key' }],
    ['temporal-mtls', {}],
  ] as const) {
    const objects = await render('production', [component]);
    const { env = [] } = containerOf(podOf(objects, 'worker'));
    const settings = ofKind(objects, 'ConfigMap').find(({ metadata }) =>
      metadata.name.startsWith('role-build-settings'),
    );
    const paths = env.filter(({ name }) => name.endsWith('_PATH'));
    const overrideEnvVars = {
      ...settings?.data,
      ...Object.fromEntries(env.map(({ name, value = '' }) => [name, value])),
      // The files exist only in the cluster.
      ...Object.fromEntries(paths.map(({ name }) => [name, process.execPath])),
      ...credential,
    };
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars });
    assert.equal(connectionOptions.address, settings?.data?.['TEMPORAL_ADDRESS']);
    assert.equal(namespace, settings?.data?.['TEMPORAL_NAMESPACE']);
    assert.ok(connectionOptions.tls);
    assert.equal(paths.length, component === 'temporal-mtls' ? 2 : 0);
  }
});
