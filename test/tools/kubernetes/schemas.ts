/**
 * Kubernetes' schemas from PyPI's `kubernetes-validate`, and those of the custom resources that the components use,
 * from the Go modules that define them. They are not part of this checkout: each is downloaded once into the cache.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installOnce } from '../../../dev/servers/cache.ts';
import { pythonPackages } from '../python-packages.ts';
import type { KubernetesObject } from './objects.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 10 * 60_000;
const VALIDATOR = 'kubernetes-validate==1.37.0';
/** The oldest version that the manifests support, and the newest that the validator supports. */
const KUBERNETES_VERSIONS = ['1.32', '1.37'];

interface GoModule {
  module: string;
  version: string;
}

/** Licence: MIT. */
export const WORKER_CONTROLLER: GoModule = {
  module: 'github.com/temporalio/temporal-worker-controller',
  version: 'v1.8.1',
};
/** Licence: Apache-2.0. */
export const KEDA: GoModule = { module: 'github.com/kedacore/keda/v2', version: 'v2.20.2' };

/** Licence of the Prometheus Operator: Apache-2.0. */
const CUSTOM: readonly (GoModule & { files: readonly string[] })[] = [
  {
    ...WORKER_CONTROLLER,
    files: ['connections', 'workerdeployments'].map(
      (name) => `helm/temporal-worker-controller-crds/templates/temporal.io_${name}.yaml`,
    ),
  },
  {
    ...KEDA,
    files: ['scaledobjects', 'triggerauthentications'].map((name) => `config/crd/bases/keda.sh_${name}.yaml`),
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    files: ['podmonitors', 'prometheusrules'].map(
      (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
    ),
  },
];

/** @returns the faults of the objects, one line each */
export async function schemaFaults(objects: readonly KubernetesObject[]): Promise<string[]> {
  const packages = await pythonPackages(VALIDATOR);
  const crds = (await Promise.all(CUSTOM.map(definitionsOf))).flat();
  const program = fileURLToPath(new URL('check_schemas.py', import.meta.url));
  const child = run('python3', [program], {
    env: { ...process.env, PYTHONPATH: packages },
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 2 ** 20,
  });
  child.child.stdin?.end(JSON.stringify({ objects, crds, versions: KUBERNETES_VERSIONS }));
  return JSON.parse((await child).stdout) as string[];
}

async function definitionsOf({ files, ...module }: (typeof CUSTOM)[number]): Promise<string[]> {
  const folder = await moduleFolder(module);
  return files.map((file) => join(folder, file));
}

export async function moduleFolder({ module, version }: GoModule): Promise<string> {
  const name = `${module.replaceAll('/', '-')}-${version}`;
  const folder = await installOnce(name, async (target) => {
    const env = { ...process.env, GOMODCACHE: target, GOFLAGS: '-modcacherw' };
    const download = () =>
      run('go', ['mod', 'download', `${module}@${version}`], { cwd: target, env, timeout: TIMEOUT_MS });
    await download().catch(download);
  });
  return join(folder, `${module}@${version}`);
}
