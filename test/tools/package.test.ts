/** Tests what TypeScript callers get from the package that `npm run build` makes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const node = (args: string[], cwd: string) => promisify(execFile)(process.execPath, args, { cwd });

let caller: string;
let installed: string;

/** Makes a caller's project with the package and its dependencies installed. */
before(async () => {
  await node(['scripts/build.ts'], checkout);
  caller = await mkdtemp(join(tmpdir(), 'caller-'));
  installed = join(caller, 'node_modules', 'iam-orchestrator');
  await mkdir(installed, { recursive: true });
  for (const name of readdirSync(join(checkout, 'node_modules'))) {
    symlinkSync(join(checkout, 'node_modules', name), join(caller, 'node_modules', name));
  }
  for (const path of ['package.json', 'dist']) cpSync(join(checkout, path), join(installed, path), { recursive: true });
  await writeFile(join(caller, 'package.json'), '{"type": "module"}');
});
after(() => rm(caller, { recursive: true, force: true }));

/** @returns the compiler's errors in the caller's program or in our declarations */
async function compile(program: string): Promise<string[]> {
  await writeFile(join(caller, 'caller.ts'), program);
  const tsc = join(checkout, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
  const { stdout } = await node([tsc, ...options, 'caller.ts'], caller).catch((err: { stdout: string }) => err);
  return stdout.split('\n').filter((line) => /^(caller\.ts|node_modules\/iam-orchestrator\/)/.test(line));
}

it('its declarations compile in a project that has only its dependencies', async () => {
  assert.deepEqual(
    await compile("import 'iam-orchestrator';\nimport * as all from 'iam-orchestrator';\nvoid all;\n"),
    [],
  );
});

it('what it declares has types', async () => {
  const program = `
    import { inputFaults, searchAttributes, startRoleBuild, type RoleBuildInput } from 'iam-orchestrator';
    declare const input: RoleBuildInput;
    void startRoleBuild;
    const account: number = input.build_body.account_id;
    const faults: string = inputFaults(input);
    const jobId: number = searchAttributes.JobId.name;
    void [account, faults, jobId];
  `;
  const lines = (await compile(program)).filter((line) => line.startsWith('caller.ts'));
  assert.equal(lines.length, 3, lines.join('\n'));
});

it('its JavaScript loads', async () => {
  const program = "import { inputFaults } from 'iam-orchestrator'; console.log(inputFaults({}).length);";
  const { stdout } = await node(['--input-type=module', '--eval', program], caller);
  assert.ok(Number(stdout) > 0);
});

it('its command line is an executable file', () => {
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  const file = join(installed, bin['role-build'] as string);
  assert.ok(existsSync(file));
  assert.equal(statSync(file).mode & 0o111, 0o111);
  assert.match(readFileSync(file, 'utf8'), /^#!\/usr\/bin\/env node\n/);
});

it('its command line needs only Node.js, wherever the package is unpacked', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'unpacked-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await promisify(execFile)('npm', ['pack', '--pack-destination', folder], { cwd: checkout });
  const [packed] = readdirSync(folder);
  assert.match(packed ?? '', /^iam-orchestrator-.*\.tgz$/);
  await promisify(execFile)('tar', ['-xzf', packed as string], { cwd: folder });
  const unpacked = join(folder, 'package');
  assert.deepEqual(
    readdirSync(unpacked).filter((name) => !['README.md', 'dist', 'package.json'].includes(name)),
    [],
  );
  // Linked as npm does, with nothing else on PATH.
  const bin = join(folder, 'bin');
  await mkdir(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync(join(unpacked, 'dist', 'client.js'), join(bin, 'role-build'));
  const roleBuild = async (...args: string[]) => {
    const env = {
      PATH: bin,
      ENCRYPTED_JWT: 'x',
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
    };
    const [command, ...rest] = ['/usr/bin/env', 'role-build', ...args] as const;
    const run = promisify(execFile)(command, rest, { cwd: folder, env });
    return run.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (err: { code: number; stdout: string; stderr: string }) => err,
    );
  };
  const help = await roleBuild('--help');
  assert.equal(help.code, 0, help.stderr);
  assert.match(help.stdout, /Usage: role-build/);

  await writeFile(join(folder, 'roles.csv'), 'account,role\n1,data-reader\n');
  const batch = await roleBuild('batch', 'roles.csv', '--url', 'https://builds.example.com');
  assert.equal(batch.code, 2);
  assert.match(batch.stderr, /line 2: build_body.account_id: must be 12 digits/);

  const start = await roleBuild(
    'start',
    '--account',
    '123456789012',
    '--role',
    'x',
    '--url',
    'https://builds.example.com',
  );
  assert.equal(start.code, 5, start.stderr);
  assert.match(start.stderr, /Temporal can't be reached at 127\.0\.0\.1:9/);
});

it('its imports have the file endings of its files', () => {
  for (const file of readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(js|d\.ts)$/.test(file) || file.startsWith('workflow-bundle.')) continue;
    const text = readFileSync(join(installed, 'dist', file), 'utf8');
    assert.doesNotMatch(text, /(from |import\()(['"])\.[^'"]*\.ts\2/, file);
  }
});
