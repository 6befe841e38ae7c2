/** How workflow code is bundled: for `dist` ahead of time, from a checkout at a worker's start. */
import { fileURLToPath } from 'node:url';
import { failureConverterPath } from './encryption/data-converter.ts';

export const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));

/**
 * Modules that a worker loads once for all its builds, where it would load them for each: a build then takes a quarter of
 * the memory that it took. None of them may keep anything of a build; test/architecture.test.ts holds them to that.
 *
 * @param isEncrypting with the failure converter that such a worker needs
 */
export function preloadedModules(isEncrypting: boolean): string[] {
  return isEncrypting ? [workflowsPath, failureConverterPath] : [workflowsPath];
}
