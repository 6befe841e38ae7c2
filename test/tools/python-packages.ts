import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installOnce } from '../../dev/servers/cache.ts';

const TIMEOUT_MS = 10 * 60_000;

/** Used to decrypt our payloads. */
export const CRYPTOGRAPHY = 'cryptography==50.0.2';

/** Installs packages of PyPI once. @returns the folder for `PYTHONPATH` */
export function pythonPackages(...requirements: [string, ...string[]]): Promise<string> {
  return installOnce(requirements.join('+'), async (folder) => {
    const install = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--target', folder, ...requirements];
    await promisify(execFile)('python3', install, { timeout: TIMEOUT_MS });
  });
}
