import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { copiesOf, execFormOf, isInBuildContext, readDockerfile, stageOf } from './dockerfile.ts';
import { buildStage, environmentOf } from './image-steps.ts';
import { startProgram } from './program.ts';

const root = new URL('../../', import.meta.url);
const stages = readDockerfile();
const app = stageOf(stages, 'app');
const simulator = stageOf(stages, 'simulated-build-api');
const runtime = stageOf(stages, 'runtime');
const runsOf = (name: string) =>
  stageOf(stages, name)
    .instructions.filter((instruction) => instruction.name === 'RUN')
    .map(({ args }) => args);

describe('the images', () => {
  it('the images are all based on the exact version of Node.js that the tests use', () => {
    const { devDependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    assert.equal(stages[0]?.from, `node:${devDependencies['node']}-bookworm-slim`);
    for (const { name, from } of stages) {
      if (name === 'base' || name === 'runtime') continue;
      assert.equal(from, [app.name, simulator.name].includes(name) ? 'runtime' : 'base', name);
    }
    assert.deepEqual(copiesOf(runtime), [
      { fromStage: 'base', sources: ['/usr/local/bin/node'], target: '/usr/local/bin/node' },
    ]);
  });

  it('the images have no shell, package manager or npm: they use distroless, pinned by digest', () => {
    assert.match(runtime.from, /^gcr\.io\/distroless\/cc-debian13:nonroot@sha256:[0-9a-f]{64}$/);
    assert.deepEqual([...runsOf('runtime'), ...runsOf('app'), ...runsOf('simulated-build-api')], []);
  });

  it('the images end with the worker, which a build without a target makes', () => {
    assert.equal(stages.at(-1), app);
    assert.deepEqual(execFormOf(app, 'CMD'), ['node', 'dist/worker.js']);
    assert.equal(execFormOf(app, 'ENTRYPOINT'), undefined);
  });

  for (const stage of [app, simulator]) {
    it(`the image ${stage.name} runs node itself, as a numbered user that is not root`, () => {
      assert.equal(execFormOf(stage, 'CMD')?.[0], 'node');
      // Distroless has no entrypoint, and `node` is on its PATH.
      assert.equal(execFormOf(stage, 'ENTRYPOINT'), undefined);
      const users = [runtime, stage].flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'USER'));
      assert.deepEqual(users.at(-1)?.args, '65532:65532');
    });
  }

  it("the images' files belong to root, so that no program can change them", () => {
    // WORKDIR makes the folder the current user's, which distroless sets; COPY always makes files root's.
    const inOrder = runtime.instructions.filter(({ name }) => ['USER', 'WORKDIR'].includes(name));
    assert.deepEqual(
      inOrder.map(({ name, args }) => `${name} ${args}`),
      ['USER 0:0', 'WORKDIR /app', 'USER 65532:65532'],
    );
    for (const { instructions } of [app, simulator]) {
      for (const { name, args } of instructions) {
        assert.notEqual(name, 'WORKDIR');
        assert.doesNotMatch(args, /--chown|--chmod/);
      }
    }
  });

  it("the images' dependencies are those of the lock file without development ones", () => {
    assert.equal(runsOf('dependencies')[0], 'npm ci --omit=dev');
    assert.deepEqual(runsOf('build'), ['npm ci', 'npm run build']);
  });

  it("the worker's image contains only what it runs", () => {
    assert.deepEqual(copiesOf(app), [
      { fromStage: undefined, sources: ['package.json'], target: './' },
      { fromStage: 'dependencies', sources: ['/app/node_modules'], target: 'node_modules' },
      { fromStage: 'build', sources: ['/app/dist'], target: 'dist' },
    ]);
  });

  it('the build gets no argument, no secret, and no environment but variables of Node.js, glibc and the SDK', () => {
    for (const { instructions } of stages) {
      for (const { name, args } of instructions) {
        assert.notEqual(name, 'ARG');
        assert.doesNotMatch(args, /--mount|ADD/);
      }
    }
    const environment = stages.flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'ENV'));
    assert.deepEqual(
      environment.map(({ args }) => args),
      ['NODE_ENV=production', 'MALLOC_ARENA_MAX=2', 'TOKIO_WORKER_THREADS=1', 'NODE_OPTIONS=--max-semi-space-size=8'],
    );
  });
});

it('the simulated build API runs with only the files of its image', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'image-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const cwd = await buildStage(folder, 'simulated-build-api');
  const [, ...args] = execFormOf(simulator, 'CMD') ?? [];
  const program = startProgram([...args, '--port', '0', '--host', '127.0.0.1'], { cwd, env: environmentOf(simulator) });
  t.after(() => program.kill());
  const { url } = JSON.parse(await program.lineWith('listening')) as { url: string };
  assert.equal((await fetch(url)).status, 200);
  assert.equal(await program.stop(), 0);
});

describe('the build context', () => {
  it('the build context includes every file that is copied', () => {
    for (const stage of stages) {
      for (const { fromStage, sources } of copiesOf(stage)) {
        if (fromStage !== undefined) continue;
        for (const source of sources) {
          assert.ok(isInBuildContext(source), source);
          assert.ok(existsSync(new URL(source, root)), source);
        }
      }
    }
  });

  for (const path of [
    '.env',
    '.git',
    '.npmrc',
    'node_modules',
    'dist',
    'test',
    'dev/servers',
    'temporal.toml',
    'deploy',
    'sbom.cdx.json',
    'client.key',
    'src2',
  ]) {
    it(`the build context excludes ${path}`, () => assert.equal(isInBuildContext(path), false));
  }
});
