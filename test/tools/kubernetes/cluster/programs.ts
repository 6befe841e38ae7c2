/** The programs of a cluster's control plane, built once from their Go modules and cached. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installOnce } from '../../../../dev/servers/cache.ts';
import { moduleFolder, WORKER_CONTROLLER } from '../schemas.ts';

const run = promisify(execFile);
/** A first build of kube-apiserver takes a quarter of an hour on two cores. */
const BUILD_TIMEOUT_MS = 60 * 60_000;
const KUBERNETES = 'k8s.io/kubernetes';
const PACKAGES = [
  `${KUBERNETES}/cmd/kube-apiserver`,
  `${KUBERNETES}/cmd/kube-controller-manager`,
  // Its program is named after the folder.
  'go.etcd.io/etcd/server/v3',
];

export interface Programs {
  etcd: string;
  apiServer: string;
  controllerManager: string;
  workerController: string;
}

/** @param kubernetes its version, such as `v1.35.4` @throws Error that names what is missing */
export async function findPrograms(kubernetes: string): Promise<Programs> {
  await mustRun('go', 'version');
  await mustRun('kubectl', 'version', '--client');
  await mustRun('bash', '--version');
  const plane = await installOnce(`kubernetes-${kubernetes}`, (folder) => buildKubernetes(folder, kubernetes));
  const source = await moduleFolder(WORKER_CONTROLLER);
  const controller = await installOnce(`worker-controller-${WORKER_CONTROLLER.version}`, async (folder) => {
    await go(['build', '-o', join(folder, 'manager'), './cmd'], source);
  });
  return {
    etcd: join(plane, 'server'),
    apiServer: join(plane, 'kube-apiserver'),
    controllerManager: join(plane, 'kube-controller-manager'),
    workerController: join(controller, 'manager'),
  };
}

async function mustRun(command: string, ...args: readonly string[]): Promise<void> {
  await run(command, args).catch((error: unknown) => {
    throw new Error(`${command} is missing: a cluster is built with Go and spoken to by kubectl and Bash`, {
      cause: error,
    });
  });
}

/**
 * Builds Kubernetes in a separate module, since its own module takes its libraries from folders that are not published
 * with it. Each library is published as a module whose version corresponds to that of Kubernetes.
 */
async function buildKubernetes(folder: string, version: string): Promise<void> {
  const { stdout } = await go(['mod', 'download', '-json', `${KUBERNETES}@${version}`], folder);
  const { GoMod: file } = JSON.parse(stdout) as { GoMod: string };
  const ofKubernetes = await readFile(file, 'utf8');
  const libraries = [...ofKubernetes.matchAll(/^\t(k8s\.io\/\S+) v0\.0\.0$/gm)].map(([, name]) => name);
  const lines = [
    'module cluster',
    /^go .*$/m.exec(ofKubernetes)?.[0],
    `require ${KUBERNETES} ${version}`,
    ...libraries.map((name) => `replace ${name} => ${name} ${version.replace(/^v1/, 'v0')}`),
  ];
  await writeFile(join(folder, 'go.mod'), lines.join('\n'));
  const flags = ['-mod=mod', '-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=${version}`];
  await go(['build', ...flags, '-o', `${folder}/`, ...PACKAGES], folder);
}

function go(args: readonly string[], cwd: string) {
  const options = { cwd, env: { ...process.env, CGO_ENABLED: '0' }, timeout: BUILD_TIMEOUT_MS };
  const attempt = () => run('go', args, { ...options, maxBuffer: 64 * 2 ** 20 });
  // Tries twice, since dependencies are downloaded.
  return attempt().catch(attempt);
}
