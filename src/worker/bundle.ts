/** Workflow code as one bundle for every worker: built in advance for `dist`, in a checkout when a worker starts. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';
import type { WorkflowOptions } from '../workflows/worker-options.ts';

export const BUNDLE_FILE = 'workflow-bundle.js';

const workflowsPath = pathOf('../workflows/index.ts');
const tracesPath = pathOf('../workflows/traces.ts');
const convertersPath = pathOf('../workflows/converters.ts');

/** Includes the source map (two thirds of the size), so that a workflow's stack traces show lines of TypeScript. */
export async function bundleWorkflows(logger: Logger): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [tracesPath],
    payloadConverterPath: convertersPath,
    failureConverterPath: convertersPath,
    // Loads these modules once and not for each build, which saves three quarters of a build's memory. So they must not
    // keep anything of a build at module level; test/architecture.test.ts checks that.
    preloadModules: [workflowsPath, tracesPath, convertersPath],
    logger,
  });
  return code;
}

/** Reads the bundle from `dist`; in a checkout, builds it now. */
export async function workflowBundle(options: WorkflowOptions, logger: Logger): Promise<{ code: string }> {
  const path = pathOf(`../${BUNDLE_FILE}`);
  return withOptions(existsSync(path) ? readFileSync(path, 'utf8') : await bundleWorkflows(logger), options);
}

/** Adds the options to the first line, because the source map counts lines. */
export function withOptions(code: string, options: WorkflowOptions): { code: string } {
  return { code: `globalThis.roleBuildWorkflowOptions=${JSON.stringify(options)};${code}` };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
