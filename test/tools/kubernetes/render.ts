/** Renders deploy/kubernetes like `kubectl apply -k`, with any components and additions. */
import { execFile } from 'node:child_process';
import { access, constants, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { installOnce } from '../../../dev/servers/cache.ts';
import type { KubernetesObject } from './objects.ts';

const run = promisify(execFile);
/** All of deploy, since components use files outside deploy/kubernetes. */
const MANIFESTS = fileURLToPath(new URL('../../../deploy', import.meta.url));
/** The module that `kubectl kustomize` is built from. */
const KUSTOMIZE = { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.1' };
const GO_TIMEOUT_MS = 10 * 60_000;

export type Overlay = 'local' | 'production';

type Additions = Readonly<Record<string, readonly unknown[]>>;

/** A cache of this process, by arguments: most test files use the same variants. */
const rendered = new Map<string, Promise<KubernetesObject[]>>();

/**
 * @param components replace those that the overlay lists
 * @param more what a user adds to the lists of the overlay's kustomization.yaml
 * @returns new objects, which the caller may change
 */
export async function render(
  overlay: Overlay,
  components?: readonly string[],
  more: Additions = {},
): Promise<KubernetesObject[]> {
  const key = JSON.stringify([overlay, components, more]);
  const objects = rendered.get(key) ?? runKustomize(overlay, components, more);
  rendered.set(key, objects);
  return structuredClone(await objects);
}

async function runKustomize(
  overlay: Overlay,
  components: readonly string[] | undefined,
  more: Additions,
): Promise<KubernetesObject[]> {
  const [command, ...args] = await findKustomize();
  const root = await mkdtemp(join(tmpdir(), 'kubernetes-'));
  try {
    await cp(MANIFESTS, root, { recursive: true });
    const folder = join(root, 'kubernetes', 'overlays', overlay);
    const file = join(folder, 'kustomization.yaml');
    const kustomization = parse(await readFile(file, 'utf8')) as Record<string, readonly unknown[]>;
    if (components !== undefined) kustomization['components'] = components.map((name) => `../../components/${name}`);
    for (const [key, values] of Object.entries(more)) {
      kustomization[key] = [...(kustomization[key] ?? []), ...values];
    }
    await writeFile(file, stringify(kustomization));
    const { stdout } = await run(command, [...args, folder], { maxBuffer: 64 * 2 ** 20 });
    return parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** Finds `KUBECTL`, kubectl on PATH, or Kustomize, built once from its Go module. @throws if none is available */
async function findKustomize(): Promise<[string, ...string[]]> {
  const { KUBECTL: given, PATH: path = '' } = process.env;
  if (given) return [given, 'kustomize'];
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, 'kubectl');
    if (folder !== '' && (await isExecutable(candidate))) return [candidate, 'kustomize'];
  }
  const { module, version } = KUSTOMIZE;
  const folder = await installOnce(`kustomize-${version}`, async (target) => {
    const env = { ...process.env, GOBIN: target, CGO_ENABLED: '0' };
    const build = () => run('go', ['install', `${module}@${version}`], { cwd: target, env, timeout: GO_TIMEOUT_MS });
    // Tries twice, since dependencies are downloaded.
    await build()
      .catch(build)
      .catch((error: unknown) => {
        throw new Error('kubectl is not on PATH, and Kustomize could not be built with Go; or set KUBECTL', {
          cause: error,
        });
      });
  });
  return [join(folder, 'kustomize'), 'build'];
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
