/** Checks that every file, page and heading that a document, a comment or an alert names exists. */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { it } from 'node:test';
import { allPages, inlineCode, read, root } from './pages.ts';

/** Returns the anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  const prose = read(path).replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** @returns what is wrong with a link, or `undefined` */
function faultOf(from: string, link: string): string | undefined {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(root, target))) return `${from}: ${link} is not there`;
  if (anchor !== undefined && !anchorsOf(target).includes(anchor)) return `${from}: ${link} has no such heading`;
  return undefined;
}

it('every link in the documents leads to an existing file and heading', () => {
  const faults = allPages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => faultOf(path, link)),
  );
  assert.deepEqual(
    faults.filter((fault) => fault !== undefined),
    [],
  );
});

it('every path of this repository that the documents name exists', () => {
  const folders = /^(src|test|docs|deploy|scripts|bench|dev)\/[\w./{},*-]+$/;
  const missing = allPages.flatMap(({ path, text }) =>
    inlineCode(text)
      .filter((code) => folders.test(code) && globSync(code, { cwd: root }).length === 0)
      .map((code) => `${path}: ${code}`),
  );
  assert.deepEqual(missing, []);
});

it('every page and heading that code, comments, tests and alerts name exists', () => {
  const files = globSync(
    ['{src,test,scripts,bench,dev,deploy,.github,.ci}/**/*.{ts,py,yaml,yml,env,json,md}', 'Dockerfile', '*.{yml,json}'],
    { cwd: root, exclude: (name) => name.includes('node_modules') || name.endsWith('package-lock.json') },
  );
  const faults = files.flatMap((file) =>
    [...read(file).matchAll(/\b(?:docs\/[\w/-]+|(?:bench|deploy\/\w+)\/README)\.md(#[\w-]+)?/g)].map(([link]) => {
      const fault = faultOf('README.md', link);
      return fault === undefined ? undefined : `${file}, ${fault}`;
    }),
  );
  assert.deepEqual(
    faults.filter((fault) => fault !== undefined),
    [],
  );
});
