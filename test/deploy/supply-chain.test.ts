/** Checks third-party packages: exact versions, known sources, allowed licences. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

interface PackageJson {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  overrides: Record<string, string>;
  allowScripts: Record<string, boolean>;
}
interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  dev?: boolean;
  hasInstallScript?: boolean;
  license?: string;
}

const ours = JSON.parse(read('package.json')) as PackageJson;
const lock = JSON.parse(read('package-lock.json')) as { lockfileVersion: number; packages: Record<string, Locked> };
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

function nameOf(path: string): string {
  return path.split('node_modules/').at(-1) ?? path;
}

describe('the lock file', () => {
  it('the lock file has an exact version and a checksum of every package, all from a registry', () => {
    assert.equal(lock.lockfileVersion, 3);
    for (const [path, { version, integrity, link, resolved }] of locked) {
      assert.match(version ?? '', /^\d+\.\d+\.\d+(-[\w.]+)?$/, path);
      assert.match(integrity ?? '', /^sha512-[\w+/]+={0,2}$/, path);
      assert.equal(link, undefined, path);
      assert.equal(resolved, undefined, `${path}: no registry is prescribed`);
    }
  });

  it('the lock file matches package.json, whose versions are exact too', () => {
    const asked = { ...ours.dependencies, ...ours.devDependencies };
    for (const [name, version] of Object.entries({ ...asked, ...ours.overrides })) {
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
      assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
    }
    const { dependencies, devDependencies } = lock.packages[''] as PackageJson;
    assert.deepEqual(
      { dependencies, devDependencies },
      {
        dependencies: ours.dependencies,
        devDependencies: ours.devDependencies,
      },
    );
  });

  it('the lock file has the version of Node.js in .node-version', () => {
    assert.equal(read('.node-version').trim(), ours.devDependencies['node']);
  });

  it('the lock file has only packages with an install script that package.json lists, and allows one of the scripts', () => {
    const withScripts = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path));
    assert.deepEqual([...new Set(withScripts)].sort(), Object.keys(ours.allowScripts).sort());
    const run = Object.entries(ours.allowScripts).filter(([, isAllowedToRun]) => isAllowedToRun);
    assert.deepEqual(run, [['node', true]]);
    // This package is only the Node.js of the checkout; no image has it.
    assert.equal(lock.packages['node_modules/node']?.dev, true);
  });
});

/**
 * The licences that a package may have; one under several at once (`AND`) needs all of them here. All permit use and
 * distribution in a service and its image if notices are kept; none requires us to publish our sources.
 */
const ALLOWED_LICENCES = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-4.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
];

/** Evaluates an SPDX expression (`A`, `A AND B`, `(A OR B)`). */
function isAllowed(licence: string | undefined): boolean {
  if (licence === undefined) return false;
  const parts = licence.replace(/^\((.*)\)$/, '$1').split(' AND ');
  return parts.every((part) => part.split(' OR ').some((one) => ALLOWED_LICENCES.includes(one)));
}

describe('licences', () => {
  it('every package has a licence that is allowed', () => {
    const wrong = locked.filter(([, { license }]) => !isAllowed(license)).map(([path]) => nameOf(path));
    // The package.json of `unionfs` names no licence; its LICENSE file is the Unlicense.
    assert.deepEqual(wrong, ['unionfs']);
  });

  for (const [licence, expected] of [
    ['MIT', true],
    ['Apache-2.0 AND MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND GPL-3.0-only', false],
    ['AGPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE', false],
    [undefined, false],
  ] as const) {
    it(`the licence ${licence} is ${expected ? '' : 'not '}allowed`, () => assert.equal(isAllowed(licence), expected));
  }
});

it('npm run sbom lists every package of the image, and no development package', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sbom-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'sbom.json');
  execFileSync(process.execPath, ['scripts/sbom.ts', file], { cwd: fileURLToPath(root), stdio: 'pipe' });
  const sbom = JSON.parse(await readFile(file, 'utf8')) as {
    bomFormat: string;
    metadata: { component: { name: string } };
    components: { 'bom-ref': string; purl: string; licenses?: unknown[]; hashes?: unknown[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  assert.equal(sbom.bomFormat, 'CycloneDX');
  assert.equal(sbom.metadata.component.name, 'iam-orchestrator');
  const expected = locked
    .filter(([, { dev }]) => dev !== true)
    .map(([path, { version }]) => `${nameOf(path)}@${version}`);
  const listed = sbom.components.map(({ purl }) => decodeURIComponent(purl).replace(/^pkg:npm\//, ''));
  assert.deepEqual(new Set(listed), new Set(expected));
  const refs = new Set(sbom.components.map((component) => component['bom-ref']));
  for (const { dependsOn } of sbom.dependencies) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
});
