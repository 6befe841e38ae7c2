/** Runs the Dockerfile's own steps in folders in place of images, for machines without Docker. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { copiesOf, copyOf, isInBuildContext, readDockerfile, stageOf, type Copy, type Stage } from './dockerfile.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const WORK_FOLDER = '/app';

/**
 * @param root holds a folder for each stage that was made so far
 * @returns the folder that would be `/app` in the stage's image
 * @throws where a step fails; with its output
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

/** The variables that a container of the stage has, with this Node.js first, as in the image, where there is no other. */
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
  // What a machine needs to reach a registry stays (proxies, certificates); what an npm around this process has set goes.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_ENV$|NODE_TEST_CONTEXT$)/i.test(name));
  const env = { ...Object.fromEntries(inherited), ...environmentOf(stage) };
  try {
    await promisify(execFile)('/bin/sh', ['-c', command], { cwd: folder, env });
  } catch (err) {
    const { stdout, stderr } = err as Error & { stdout: string; stderr: string };
    throw new Error(`RUN ${command} failed:\n${stdout}${stderr}`, { cause: err });
  }
}
