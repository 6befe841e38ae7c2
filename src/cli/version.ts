import { readFileSync } from 'node:fs';

/** Returns the package's version. package.json is two folders above this file, in the bundle too. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
