/** How workflow code is bundled: for `dist` ahead of time, from a checkout at a worker's start. */
import { fileURLToPath } from 'node:url';
import { failureConverterPath } from './encryption/data-converter.ts';

export interface WorkflowCode {
  /** Name of the bundle that is made of it ahead of time. */
  bundle: string;
  workflowsPath: string;
  /**
   * Modules that a worker loads once for all its builds, where it would load them for each: a build then takes a quarter of
   * the memory that it took. None of them may keep anything of a build; test/architecture.test.ts holds them to that.
   */
  preloadModules: string[];
  /** Loaded for each build. */
  workflowInterceptorModules: string[];
}

/** What encryption and traces need of workflow code is in bundles of their own, so that without them it costs nothing. */
export function workflowCode({ encrypting, traced }: { encrypting: boolean; traced: boolean }): WorkflowCode {
  const workflowsPath = pathOf('./workflows/index.ts');
  return {
    bundle: `workflow-bundle${encrypting ? '.encrypting' : ''}${traced ? '.traced' : ''}.js`,
    workflowsPath,
    preloadModules: encrypting ? [workflowsPath, failureConverterPath] : [workflowsPath],
    workflowInterceptorModules: traced ? [pathOf('./workflows/traces.ts')] : [],
  };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
