/** Runs the Dockerfile's steps in folders instead of images, for machines without Docker. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { copiesOf, copyOf, isInBuildContext, readDockerfile, stageOf, type Copy, type Stage } from './dockerfile.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const WORK_FOLDER = '/app';

/**
 * @param root has a folder for each stage made so far
 * @returns the folder that is `/app` in the stage's image
 * @throws if a step fails; with its output
 */
export async function buildStage(root: string, name: string): Promise<string> {
  const folder = join(root, name);
  if (existsSync(folder)) return folder;
  const stage = stageOf(readDockerfile(), name);
  for (const { fromStage } of copiesOf(stage)) if (fromStage !== undefined) await buildStage(root, fromStage);
  mkdirSync(folder);
  for (const instruction of stage.instructions) {
    if (instruction.name === 'COPY') copy(root, folder, copyOf(instruction));
    if (instruction.name === 'RUN') await run(folder, instruction.args, stage);
  }
  return folder;
}

/** Returns the variables of a container of the stage, with this Node.js, the only one in the image, first on PATH. */
export function environmentOf(stage: Stage): Record<string, string> {
  const own = stage.instructions
    .filter(({ name }) => name === 'ENV')
    .map(({ args }) => [args.slice(0, args.indexOf('=')), args.slice(args.indexOf('=') + 1)]);
  const { HOME = '/', PATH = '' } = process.env;
  return { HOME, PATH: [dirname(process.execPath), PATH].join(delimiter), ...Object.fromEntries(own) };
}

function copy(root: string, folder: string, { fromStage, sources, target }: Copy): void {
  const origin = fromStage === undefined ? CHECKOUT : join(root, fromStage);
  for (const source of sources) {
    const from = join(origin, fromStage === undefined ? source : relative(WORK_FOLDER, source));
    const to = target.endsWith('/') && statSync(from).isFile() ? join(target, basename(source)) : target;
    cpSync(from, join(folder, to), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => fromStage !== undefined || isInBuildContext(relative(CHECKOUT, path)),
    });
  }
}

async function run(folder: string, command: string, stage: Stage): Promise<void> {
  // Keeps what a machine needs to reach a registry (proxies, certificates), and drops variables that npm has set.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_ENV$|NODE_TEST_CONTEXT$)/i.test(name));
  const env = { ...Object.fromEntries(inherited), ...environmentOf(stage) };
  try {
    await promisify(execFile)('/bin/sh', ['-c', command], { cwd: folder, env });
  } catch (err) {
    const { stdout, stderr } = err as Error & { stdout: string; stderr: string };
    throw new Error(`RUN ${command} failed:\n${stdout}${stderr}`, { cause: err });
  }
}
