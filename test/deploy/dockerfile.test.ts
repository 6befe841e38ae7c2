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
  it('the images all begin from one exact version of Node.js, the one that the tests run on', () => {
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

  it('the images run without shell, package manager and npm: on distroless, by its digest', () => {
    assert.match(runtime.from, /^gcr\.io\/distroless\/cc-debian13:nonroot@sha256:[0-9a-f]{64}$/);
    assert.deepEqual([...runsOf('runtime'), ...runsOf('app'), ...runsOf('simulated-build-api')], []);
  });

  it('the images without a target, the one that is built is the worker', () => {
    assert.equal(stages.at(-1), app);
    assert.deepEqual(execFormOf(app, 'CMD'), ['node', 'dist/worker.js']);
    assert.equal(execFormOf(app, 'ENTRYPOINT'), undefined);
  });

  for (const stage of [app, simulator]) {
    it(`the image ${stage.name} runs node itself, as a numbered user that is not root`, () => {
      assert.equal(execFormOf(stage, 'CMD')?.[0], 'node');
      // Distroless has no entrypoint, and node is on its PATH.
      assert.equal(execFormOf(stage, 'ENTRYPOINT'), undefined);
      const users = [runtime, stage].flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'USER'));
      assert.deepEqual(users.at(-1)?.args, '65532:65532');
    });
  }

  it('the images belong to root, so that no program can change its own files', () => {
    // WORKDIR makes the folder its user's, whom distroless sets; COPY makes files root's whoever the user is.
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

  it('the images dependencies are those of the lock file, without those of development', () => {
    assert.equal(runsOf('dependencies')[0], 'npm ci --omit=dev');
    assert.deepEqual(runsOf('build'), ['npm ci', 'npm run build']);
  });

  it('the worker holds what it runs and no more', () => {
    assert.deepEqual(copiesOf(app), [
      { fromStage: undefined, sources: ['package.json'], target: './' },
      { fromStage: 'dependencies', sources: ['/app/node_modules'], target: 'node_modules' },
      { fromStage: 'build', sources: ['/app/dist'], target: 'dist' },
    ]);
  });

  it('nothing secret is passed in: no build argument, no secret, no environment but what Node.js, glibc and the SDK read', () => {
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

it('the simulated build API runs on what its image holds', async (t) => {
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
  it('the build context holds every file that is copied', () => {
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
    it(`the build context leaves ${path} out`, () => assert.equal(isInBuildContext(path), false));
  }
});
