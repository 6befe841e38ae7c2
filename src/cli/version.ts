import { readFileSync } from 'node:fs';

/** The package's version. Its package.json is two folders up from here, in the bundle too. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
