/** Makes the contents of the worker's image with the Dockerfile's steps, and runs them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { startDynamoDb } from '../../dev/servers/dynamodb.ts';
import { startTemporalServer } from '../../dev/servers/temporal-server.ts';
import { createSimulatedBuildApi } from '../../dev/simulated-build-api/server.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { execFormOf, readDockerfile, stageOf } from '../deploy/dockerfile.ts';
import { buildStage, environmentOf } from '../deploy/image-steps.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { startProgram, type Program } from '../deploy/program.ts';

const app = stageOf(readDockerfile(), 'app');
let root: string;
let image: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'image-'));
  image = await buildStage(root, 'app');
});
after(() => rm(root, { recursive: true, force: true }));

function start(t: TestContext, args: readonly string[], env: Record<string, string> = {}): Program {
  const program = startProgram(args, { cwd: image, env: { ...environmentOf(app), ...env } });
  t.after(() => program.kill());
  return program;
}

const worker = execFormOf(app, 'CMD')?.slice(1) ?? [];
const roleBuild = ['dist/client.js'];

describe('the image', () => {
  it('the image has no development package', () => {
    const lock = JSON.parse(readFileSync(join(root, 'dependencies', 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    const ofDevelopment = Object.entries(lock.packages).filter(([, { dev }]) => dev === true);
    assert.ok(ofDevelopment.length > 0);
    assert.deepEqual(
      ofDevelopment.map(([path]) => path).filter((path) => existsSync(join(image, path))),
      [],
    );
  });

  it('the image has the native part of the SDK only for its own platform', () => {
    const releases = readdirSync(join(image, 'node_modules/@temporalio/core-bridge/releases'));
    assert.equal(releases.length, 1);
    assert.match(releases[0] as string, /-unknown-linux-gnu$/);
  });

  it('the image needs only libraries of its base', () => {
    // The libraries of glibc, libstdc++ and libgcc in distroless' cc image.
    const ofTheBase = /^(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so\.\d+|linux-vdso\.so\.1|\S*ld-linux-\S+\.so\.\d)$/;
    const native = globSync('node_modules/**/*.node', { cwd: image }).map((file) => join(image, file));
    assert.ok(native.length > 0);
    for (const file of [process.execPath, ...native]) {
      const libraries = execFileSync('ldd', [file], { encoding: 'utf8' }).trim().split('\n');
      for (const line of libraries) assert.match(line.trim().split(' ')[0] ?? '', ofTheBase, file);
    }
  });

  it('the image has neither sources nor tests', () => {
    assert.deepEqual(readdirSync(image).sort(), ['dist', 'node_modules', 'package.json']);
  });

  it('the image starts no worker without settings, and reports every missing one', async (t) => {
    const program = start(t, worker);
    assert.equal(await program.exited, 2);
    const required = Object.entries(SETTINGS).filter(
      ([, setting]) => 'requiredBy' in setting && setting.requiredBy === 'worker',
    );
    assert.ok(required.length > 0);
    for (const [name] of required) assert.match(program.stderr(), new RegExp(`^  ${name} is required`, 'm'));
  });

  it('the image holds the codec server', async (t) => {
    const env = { CODEC_SERVER_ADDRESS: '127.0.0.1:0', CODEC_SERVER_ALLOWED_ORIGINS: 'http://127.0.0.1:8233' };
    const program = start(t, ['dist/codec-server.js'], { ...env, ENCRYPTION_KEYS: keysText(newKey('a')) });
    await program.lineWith('codec server listening');
    assert.equal(await program.stop(), 0);
  });

  it('the image holds the command line', async (t) => {
    const program = start(t, [...roleBuild, '--help']);
    assert.equal(await program.exited, 0);
    assert.match(program.stdout(), /Usage: role-build/);
  });

  for (const [how, encryption] of [
    ['in the clear', {}],
    ['encrypted', { ENCRYPTION_KEYS: keysText(newKey('a')) }],
  ] as const)
    it(`the image sets up, runs a build to its end ${how}, and stops cleanly`, async (t) => {
      const temporal = await startTemporalServer({ uiPort: false });
      t.after(() => temporal.stop());
      const dynamoDb = await startDynamoDb();
      t.after(() => dynamoDb.stop());
      const buildApi = createSimulatedBuildApi();
      const url = await buildApi.listen();
      t.after(() => buildApi.close());
      const env = {
        TEMPORAL_ADDRESS: temporal.address,
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.endpoint,
        ...encryption,
      };

      const setup = start(t, [...roleBuild, 'setup'], env);
      assert.equal(await setup.exited, 0, setup.stderr());

      // `npm run dev` in another checkout may hold the default ports.
      const ports = { HEALTH_ADDRESS: '127.0.0.1:0', METRICS_ADDRESS: '127.0.0.1:0' };
      const running = start(t, worker, { ...env, ...ports, API_ALB_FQDN: url, BUILD_API_ALLOWED_ORIGINS: url });
      await running.lineWith('worker polling');
      // If it bundles at its start, it has not found the bundle made ahead of time.
      assert.doesNotMatch(running.stdout(), /webpack|bundle/i);

      const what = ['start', '--account', '123456789012', '--role', 'data-reader', '--url', url];
      const build = start(t, [...roleBuild, ...what, '--poll-interval-seconds', '1', '--wait', '--json'], {
        ...env,
        ENCRYPTED_JWT: 'ciphertext',
      });
      assert.equal(await build.exited, 0, build.stderr());
      assert.match(build.stdout(), /"status":"COMPLETE"/);

      assert.equal(await running.stop(), 0);
      await running.lineWith('worker stopped');
    });
});
