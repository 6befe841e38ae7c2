/**
 * `npm run licences`: the licence of every package in the lock file, as `docs/licences.md`.
 * `npm run licences -- --write` writes that file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const FILE = new URL('docs/licences.md', root);

/**
 * What a package may be under; for one under several at once (`AND`), each. All let it be used and passed on in a service and
 * its image with their notices kept; none asks for our sources.
 */
export const ALLOWED = [
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

/** Packages whose package.json names no licence, and where it stands instead. */
export const NAMED_ELSEWHERE: Readonly<Record<string, string>> = { unionfs: 'Unlicense' };

export interface Package {
  name: string;
  version: string;
  licence: string | undefined;
  /** Needed for development alone. */
  dev: boolean;
}

interface Lock {
  packages: Record<string, { name?: string; version?: string; license?: string; dev?: boolean }>;
}

export function readPackages(): Package[] {
  const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as Lock;
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, { name, version = '', license, dev = false }]) => {
      const ownName = name ?? path.split('node_modules/').at(-1) ?? path;
      return { name: ownName, version, licence: license ?? NAMED_ELSEWHERE[ownName], dev };
    });
}

/** Whether an SPDX expression (`A`, `A AND B`, `(A OR B)`) can be kept to with what is allowed. */
export function isAllowed(licence: string | undefined): boolean {
  if (licence === undefined) return false;
  return licence
    .replace(/^\((.*)\)$/, '$1')
    .split(' AND ')
    .every((part) => part.split(' OR ').some((one) => ALLOWED.includes(one)));
}

/** The file's text. */
export function describeLicences(packages: readonly Package[]): string {
  return [
    '# Licences',
    '',
    'Every package in `package-lock.json`, by licence: `npm run licences -- --write` writes this file, and',
    '`test/deploy/supply-chain.test.ts` holds it to the lock file and to the licences that `scripts/licences.ts` allows.',
    '',
    '## In the image',
    '',
    ...sections(packages.filter(({ dev }) => !dev)),
    '## For development alone',
    '',
    ...sections(packages.filter(({ dev }) => dev)),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function sections(packages: readonly Package[]): string[] {
  const licences = Map.groupBy(packages, ({ licence }) => licence ?? 'no licence named');
  return [...licences.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([licence, ones]) => {
      const names = [...new Set(ones.map(({ name, version }) => `${name} ${version}`))].sort();
      return [`### ${licence}`, '', ...names.map((name) => `- ${name}`), ''];
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = describeLicences(readPackages());
  if (process.argv.includes('--write')) writeFileSync(FILE, text);
  else process.stdout.write(text);
}
