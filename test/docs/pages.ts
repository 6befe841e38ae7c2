/** Reads the documents for the tests of docs. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export function read(path: string): string {
  return readFileSync(`${root}/${path}`, 'utf8');
}

export interface Page {
  path: string;
  text: string;
}

const pagesIn = (...patterns: string[]): Page[] =>
  globSync(patterns, { cwd: root })
    .sort()
    .map((path) => ({ path, text: read(path) }));

/** One page for each command, generated from its help. */
export const cliPages = pagesIn('docs/cli/*.md');
/** The pages in the root folder, and those in docs but not in docs/cli. */
export const pages = [...pagesIn('*.md'), ...pagesIn('docs/*.md')];
export const allPages = [...pages, ...cliPages, ...pagesIn('bench/README.md', 'deploy/**/*.md')];

/** Returns the text of all code blocks in this language. */
export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , found]) => found === language)
    .map(([, indent = '', , block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

/** Returns the inline code outside of blocks, one line each. */
export function inlineCode(text: string): string[] {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll(/\s+/g, ' '));
}
