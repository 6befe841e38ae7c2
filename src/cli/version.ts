import { existsSync, readFileSync } from 'node:fs';

/** The package's version, from the package.json above this file, wherever the build has put it. */
export function version(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const file = new URL('package.json', folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    if (new URL('..', folder).href === folder.href) return 'unknown';
  }
}
