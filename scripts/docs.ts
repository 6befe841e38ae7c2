/** `npm run docs`: generates docs/cli (one page for each command) and docs/settings.md. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generatedPages } from './docs/pages.ts';

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));

const pages = await generatedPages();
await mkdir(`${DOCS}cli`, { recursive: true });
for (const name of await readdir(`${DOCS}cli`)) if (!pages.has(`cli/${name}`)) await rm(`${DOCS}cli/${name}`);
for (const [path, text] of pages) await writeFile(`${DOCS}${path}`, text);
process.stdout.write(`docs: ${pages.size} pages\n`);
