import { readFileSync } from 'node:fs';

export interface Instruction {
  name: string;
  args: string;
}

export interface Stage {
  /** The base image or stage. */
  from: string;
  name: string;
  instructions: Instruction[];
}

export function readDockerfile(): Stage[] {
  const lines = readText('Dockerfile')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line));
  const stages: Stage[] = [];
  for (const instruction of lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')) {
    const [, name, args] = /^([A-Z]+)\s+(.+)$/.exec(instruction) ?? [];
    if (name === undefined || args === undefined) throw new Error(`not a Dockerfile instruction: ${instruction}`);
    if (name === 'FROM') {
      const [, from, stageName] = /^(\S+) AS (\S+)$/.exec(args) ?? [];
      if (from === undefined || stageName === undefined) throw new Error(`a stage without a name: ${args}`);
      stages.push({ from, name: stageName, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`before the first FROM: ${instruction}`);
      stage.instructions.push({ name, args });
    }
  }
  return stages;
}

/** @throws if there is no such stage */
export function stageOf(stages: readonly Stage[], name: string): Stage {
  const stage = stages.find((one) => one.name === name);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return stage;
}

export interface Copy {
  /** The stage that it copies from; `undefined` for the build context. */
  fromStage: string | undefined;
  sources: string[];
  target: string;
}

export function copiesOf(stage: Stage): Copy[] {
  return stage.instructions.filter(({ name }) => name === 'COPY').map(copyOf);
}

export function copyOf({ args }: Instruction): Copy {
  const words = args.split(/\s+/);
  const fromStage = words[0]?.startsWith('--from=') === true ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop();
  if (target === undefined || words.length === 0) throw new Error(`COPY ${args}: what to where?`);
  return { fromStage, sources: words, target };
}

/** Returns the exec form of CMD or ENTRYPOINT, if the stage has one. */
export function execFormOf(stage: Stage, name: 'CMD' | 'ENTRYPOINT'): string[] | undefined {
  const found = stage.instructions.findLast((instruction) => instruction.name === name);
  return found === undefined ? undefined : (JSON.parse(found.args) as string[]);
}

/**
 * Whether `.dockerignore` lets a path of the checkout into the build. Supports only the patterns that ours uses: `*`,
 * and `!path` for a file or folder that is included again.
 */
export function isInBuildContext(path: string): boolean {
  const patterns = readText('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (patterns[0] !== '*') throw new Error('.dockerignore is expected to leave everything out first');
  return patterns.slice(1).some((pattern) => {
    if (!/^![\w./-]+$/.test(pattern)) throw new Error(`.dockerignore has a pattern that is not understood: ${pattern}`);
    const allowed = pattern.slice(1);
    return path === allowed || path.startsWith(`${allowed}/`);
  });
}

function readText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}
