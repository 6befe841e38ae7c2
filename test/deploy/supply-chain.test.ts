/** What others' code this is made of: exact, named, under licences that are allowed. */
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
  it('the lock file has every package in one exact version with its checksum, from a registry and nowhere else', () => {
    assert.equal(lock.lockfileVersion, 3);
    for (const [path, { version, integrity, link, resolved }] of locked) {
      assert.match(version ?? '', /^\d+\.\d+\.\d+(-[\w.]+)?$/, path);
      assert.match(integrity ?? '', /^sha512-[\w+/]+={0,2}$/, path);
      assert.equal(link, undefined, path);
      assert.equal(resolved, undefined, `${path}: no registry is prescribed`);
    }
  });

  it('the lock file is of what package.json asks for, which is exact too', () => {
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

  it('the lock file has the Node.js that .node-version names', () => {
    assert.equal(read('.node-version').trim(), ours.devDependencies['node']);
  });

  it('the lock file has no package with an install script but those that package.json decides about, and runs one of them', () => {
    const withScripts = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => nameOf(path));
    assert.deepEqual([...new Set(withScripts)].sort(), Object.keys(ours.allowScripts).sort());
    const run = Object.entries(ours.allowScripts).filter(([, isAllowedToRun]) => isAllowedToRun);
    assert.deepEqual(run, [['node', true]]);
    // It only brings the Node.js that the checkout runs on: no image has it.
    assert.equal(lock.packages['node_modules/node']?.dev, true);
  });
});

/**
 * What a package may be under; for one under several at once (`AND`), each. All let it be used and passed on in a service and
 * its image with their notices kept; none asks for our sources.
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

/** An SPDX expression (`A`, `A AND B`, `(A OR B)`). */
function isAllowed(licence: string | undefined): boolean {
  if (licence === undefined) return false;
  const parts = licence.replace(/^\((.*)\)$/, '$1').split(' AND ');
  return parts.every((part) => part.split(' OR ').some((one) => ALLOWED_LICENCES.includes(one)));
}

describe('licences', () => {
  it('every package has a licence that is allowed', () => {
    const wrong = locked.filter(([, { license }]) => !isAllowed(license)).map(([path]) => nameOf(path));
    // Its package.json names no licence; its LICENSE file is the Unlicense.
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

it('npm run sbom lists every package of the image, and none of development alone', async (t) => {
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
