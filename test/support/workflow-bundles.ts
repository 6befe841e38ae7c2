import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE_FILE, bundleWorkflows, withOptions } from '../../src/worker/bundle.ts';
import { BUILT } from './programs.ts';
import { quietRuntime } from './quiet-runtime.ts';

let code: Promise<string> | undefined;

/** Returns the workflow code as a worker loads it: from `dist` if it is built, else bundled once in this process. */
export async function workflowBundle({ traced = false } = {}): Promise<{ code: string }> {
  code ??=
    BUILT === undefined
      ? bundleWorkflows(quietRuntime())
      : Promise.resolve(readFileSync(join(BUILT, BUNDLE_FILE), 'utf8'));
  return withOptions(await code, { traced, encryptsFailures: false });
}
