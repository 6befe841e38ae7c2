/** Workflow code as one bundle for every worker: made ahead of time for `dist`, from a checkout at a worker's start. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';
import type { WorkflowOptions } from '../workflows/worker-options.ts';

/** Its name in `dist`. */
export const BUNDLE_FILE = 'workflow-bundle.js';

const workflowsPath = pathOf('../workflows/index.ts');
const tracesPath = pathOf('../workflows/traces.ts');
const convertersPath = pathOf('../workflows/converters.ts');

/** With its source map inline (two thirds of it), which turns a workflow's stack traces into TypeScript's lines. */
export async function bundleWorkflows(logger: Logger): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [tracesPath],
    payloadConverterPath: convertersPath,
    failureConverterPath: convertersPath,
    // Loaded once for all builds and not for each: a build then takes a quarter of the memory. None of them may keep anything
    // of a build; test/architecture.test.ts holds them to that.
    preloadModules: [workflowsPath, tracesPath, convertersPath],
    logger,
  });
  return code;
}

/** The bundle in `dist`; in a checkout, one made now. */
export async function workflowBundle(options: WorkflowOptions, logger: Logger): Promise<{ code: string }> {
  const path = pathOf(`../${BUNDLE_FILE}`);
  return withOptions(existsSync(path) ? readFileSync(path, 'utf8') : await bundleWorkflows(logger), options);
}

/** On the first line: the source map counts lines. */
export function withOptions(code: string, options: WorkflowOptions): { code: string } {
  return { code: `globalThis.roleBuildWorkflowOptions=${JSON.stringify(options)};${code}` };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
