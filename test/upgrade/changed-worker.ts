/** Makes another version of the worker: a copy of the sources with a changed workflow. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface ChangedWorker {
  /** The path of the changed worker program. */
  program: string;
  remove(): Promise<void>;
}

/**
 * Copies the sources and replaces text in the workflow.
 *
 * @throws AssertionError if a text does not occur exactly once: the test would no longer make the change that it claims
 */
export async function changedWorker(replacements: readonly (readonly [string, string])[]): Promise<ChangedWorker> {
  const folder = await mkdtemp(join(tmpdir(), 'role-build-upgrade-'));
  await cp(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const workflow = join(folder, 'src/workflows/role-build.ts');
  let code = await readFile(workflow, 'utf8');
  for (const [from, to] of replacements) {
    assert.equal(code.split(from).length, 2, `the workflow has ${JSON.stringify(from)} once`);
    code = code.replace(from, to);
  }
  await writeFile(workflow, code);
  return { program: join(folder, 'src/worker.ts'), remove: () => rm(folder, { recursive: true }) };
}
