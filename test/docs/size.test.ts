/** Checks that the documents stay short, and that each page opens with the question that it answers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pages, read } from './pages.ts';

/** Counts like `wc -w`. */
const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== '').length;
const inDocs = pages.filter(({ path }) => path.startsWith('docs/'));

it('the README has at most 650 words', () => {
  assert.ok(wordsOf(read('README.md')) <= 650);
});

it('docs has at most 14 pages outside docs/cli', () => {
  assert.ok(inDocs.length <= 14, inDocs.map(({ path }) => path).join(' '));
});

it('each page of docs opens with the question that it answers', () => {
  for (const { path, text } of inDocs) assert.match(text, /^(<!--.*-->\n\n)?# .+\n\n[^#|`]+?\?/, path);
});
