import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe } from 'node:test';

const TEST = join(import.meta.dirname, '..');

/**
 * Loads test files into this process, because a process for each would take seconds of CPU time to load modules. A file is
 * a suite, so its hooks are run for its own tests.
 *
 * @param files patterns of paths in `test`
 */
export function loadTests(files: readonly string[], { exclude = [] }: { exclude?: readonly string[] } = {}): void {
  const require = createRequire(import.meta.url);
  const paths = globSync(files, { cwd: TEST, exclude });
  if (paths.length === 0) throw new Error(`no tests: ${files.join(' ')}`);
  for (const path of paths.sort()) describe(path, () => void require(join(TEST, path)));
}
