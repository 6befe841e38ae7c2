/** Checks that each program gets the settings that it reads, and no others. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import {
  CLIENT_SETTINGS,
  CODEC_SERVER_SETTINGS,
  readSettings,
  WORKER_SETTINGS,
  type SettingName,
} from '../../../src/config/settings.ts';
import { TRACING_SETTINGS } from '../../../src/config/tracing.ts';
import { keysText, newKey } from '../../encryption/keys.ts';
import { containerOf, ofKind, podOf, podTemplates, type KubernetesObject } from './objects.ts';
import { render } from './render.ts';
import { VARIANTS } from './variants.ts';

/** https://docs.temporal.io/develop/environment-configuration */
const OF_TEMPORAL = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
];
const OF_AWS = ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL_DYNAMODB'];
const OF_NODE = ['NODE_OPTIONS'];
/** The addresses of the worker's health and metrics. */
const OF_HEALTH = ['HEALTH_ADDRESS', 'METRICS_ADDRESS'] as const;

const PROGRAMS: Record<string, { settings: readonly SettingName[]; others: readonly string[] }> = {
  worker: {
    settings: WORKER_SETTINGS,
    others: [...OF_TEMPORAL, ...OF_AWS, ...OF_NODE, ...Object.keys(TRACING_SETTINGS)],
  },
  setup: { settings: CLIENT_SETTINGS, others: [...OF_TEMPORAL, ...OF_AWS, ...OF_NODE] },
  'codec-server': { settings: CODEC_SERVER_SETTINGS, others: [...OF_AWS, ...OF_NODE] },
};

/** The contents of the Secrets, which are not part of the tree. */
const SECRETS: Record<string, Record<string, string>> = {
  'encryption-keys': { ENCRYPTION_KEYS: keysText(newKey('local')) },
  'temporal-credentials': { TEMPORAL_API_KEY: 'a-key' },
};

for (const { title, overlay, components } of VARIANTS) {
  describe(title, () => {
    let objects: KubernetesObject[];
    before(async () => {
      objects = await render(overlay, components);
    });

    for (const [program, { settings, others }] of Object.entries(PROGRAMS)) {
      it(`${program} gets only settings that it reads, and all that it needs`, (t) => {
        if (!podTemplates(objects).some(({ name }) => name === program)) return t.skip('it is not there');
        const env = environmentOf(objects, program);
        const known: readonly string[] = [...settings, ...others];
        assert.deepEqual(
          Object.keys(env).filter((name) => !known.includes(name)),
          [],
        );
        // Throws if a setting is missing or wrong.
        readSettings(env, settings);
        if (program !== 'codec-server') assert.ok(env['TEMPORAL_ADDRESS'] && env['TEMPORAL_NAMESPACE']);
        assert.ok(overlay === 'local' || env['AWS_REGION']);
        // The default is loopback, which probes can't reach.
        if (program === 'worker') for (const name of OF_HEALTH) assert.match(env[name] ?? '', /^0\.0\.0\.0:\d+$/);
      });
    }

    it('all programs that read payloads have the same keys, and refuse unencrypted ones', () => {
      const of = (program: string) => {
        const env = environmentOf(objects, program);
        return ['ENCRYPTION_KEYS', 'ENCRYPTION_KMS_KEY_ARNS', 'ENCRYPTION_REQUIRED'].map((name) => env[name]);
      };
      assert.deepEqual(of('codec-server'), of('worker'));
      assert.equal(of('worker')[2], 'true');
    });
  });
}

/** Returns the variables of a program's container, and checks that each occurs once. */
function environmentOf(objects: readonly KubernetesObject[], program: string): Record<string, string> {
  const { env = [], envFrom = [] } = containerOf(podOf(objects, program));
  const sources = envFrom.map(({ configMapRef, secretRef }) => {
    const data =
      configMapRef === undefined
        ? SECRETS[secretRef?.name ?? '']
        : ofKind(objects, 'ConfigMap').find(({ metadata }) => metadata.name === configMapRef.name)?.data;
    assert.ok(data, `${configMapRef?.name ?? secretRef?.name} is not known`);
    return Object.entries(data);
  });
  const all = [...sources.flat(), ...env.map(({ name, value = '' }) => [name, value] as const)];
  const names = all.map(([name]) => name);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
    'set twice',
  );
  return Object.fromEntries(all);
}
