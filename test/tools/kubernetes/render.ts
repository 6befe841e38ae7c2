/** Renders deploy/kubernetes as `kubectl apply -k` would, with whichever components and additions. */
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
/** With what the components take from beside deploy/kubernetes. */
const MANIFESTS = fileURLToPath(new URL('../../../deploy', import.meta.url));
/** What `kubectl kustomize` is made of. */
const KUSTOMIZE = { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.1' };
const GO_TIMEOUT_MS = 10 * 60_000;

export type Overlay = 'local' | 'production';

type Additions = Readonly<Record<string, readonly unknown[]>>;

/** What was rendered in this process, by what was asked for: most test files look at the same variants. */
const rendered = new Map<string, Promise<KubernetesObject[]>>();

/**
 * @param components in place of those that the overlay lists
 * @param more what a user adds to the lists of the overlay's kustomization.yaml
 * @returns objects of the caller's own
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

/** `KUBECTL`, or kubectl from PATH, or Kustomize built once from its Go module and kept. @throws where there is none */
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
    // Once more, since what it needs is downloaded.
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
