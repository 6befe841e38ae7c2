/** A copy of deploy/kubernetes, edited as a user would. Its overlay `local` also stands for `production`. */
import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { ServerPorts } from './pods.ts';

const DEPLOY = fileURLToPath(new URL('../../../../deploy', import.meta.url));
/** Keeps a run short: the shortest step that a WorkerDeployment may have, and an early deadline of set-up. */
const SHORTENED: readonly [file: string, from: RegExp, to: string][] = [
  ['components/worker-controller/kustomization.yaml', /pauseDuration: 10m/g, 'pauseDuration: 30s'],
  ['components/setup/setup.yaml', /activeDeadlineSeconds: 900/, 'activeDeadlineSeconds: 40'],
];

/** The state of the cluster that the user wants. */
export interface State {
  components?: readonly string[];
  /** The tag of the image. */
  tag?: string;
  replicas?: number;
  /** Lines for `worker.env`. */
  settings?: string;
  patches?: readonly object[];
}

/** @param folder gets a copy of deploy/kubernetes @returns a function that brings the overlay to a state */
export async function createOverlay(folder: string, ports: ServerPorts): Promise<(state: State) => Promise<void>> {
  await cp(DEPLOY, join(folder, 'deploy'), { recursive: true });
  const at = (...names: string[]) => join(folder, 'deploy', 'kubernetes', ...names);
  const change = async (file: string, edit: (text: string) => string) => {
    const before = await readFile(at(file), 'utf8');
    const after = edit(before);
    if (after === before) throw new Error(`nothing to change in ${file}`);
    await writeFile(at(file), after);
    return after;
  };
  for (const [file, from, to] of SHORTENED) await change(file, (text) => text.replace(from, to));
  // There is no DNS, so names are replaced by addresses.
  const local = (text: string) =>
    text
      .replaceAll(/temporal\.iam-orchestrator\.svc\.cluster\.local:7233/g, `127.0.0.1:${ports.temporal}`)
      .replaceAll('dynamodb:8000', `127.0.0.1:${ports.dynamoDb}`)
      .replaceAll('simulated-build-api:8090', `127.0.0.1:${ports.buildApi}`);
  await change('overlays/local/settings.env', local);
  const workerEnv = await change('overlays/local/worker.env', local);
  await rm(at('overlays', 'production'), { recursive: true });
  await symlink('local', at('overlays', 'production'));

  const file = at('overlays', 'local', 'kustomization.yaml');
  const asShipped = await readFile(file, 'utf8');
  return async ({ components = ['setup'], tag = 'local', replicas, settings = '', patches = [] }) => {
    const kustomization = parse(asShipped) as { images: { newTag: string }[]; patches: object[] } & Record<
      string,
      unknown
    >;
    for (const image of kustomization.images.filter((one) => JSON.stringify(one).includes('iam-'))) image.newTag = tag;
    kustomization.patches.push(...patches);
    kustomization['components'] = components.map((name) => `../../components/${name}`);
    if (replicas !== undefined) kustomization['replicas'] = [{ name: 'worker', count: replicas }];
    await writeFile(file, stringify(kustomization));
    await writeFile(at('overlays', 'local', 'worker.env'), `${workerEnv}\n${settings}\n`);
  };
}
