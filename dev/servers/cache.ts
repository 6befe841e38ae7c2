import { access, constants, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cachePath, ownFolder } from '../../src/config/own-files.ts';

const LOCK_POLL_MS = 100;
/** Longer than any download takes. An older lock is abandoned even if a process has its ID, since IDs are reused. */
const ABANDONED_MS = 15 * 60_000;

/**
 * Returns the folder of downloads, which all checkouts of this user share: `ROLE_BUILD_CACHE_DIR`, or one in the user's
 * cache. Executables in it are run.
 *
 * @throws if another user may have written to it
 */
export function cacheFolder(): string {
  const given = process.env['ROLE_BUILD_CACHE_DIR'];
  if (given) return given;
  try {
    return ownFolder(cachePath(process.env));
  } catch (err) {
    const hint = 'mend that, or set ROLE_BUILD_CACHE_DIR to a folder of your own';
    throw new Error(`downloads can't be kept: ${(err as Error).message}; ${hint}`, { cause: err });
  }
}

/**
 * Returns the folder `name` of the cache. The first process that needs it fills it; it is kept from then on.
 *
 * It is filled under a temporary name and renamed, so it is complete whenever it exists. The lock only avoids a second
 * download: if two processes hold it, both fill a folder and the first rename wins.
 */
export async function installOnce(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const cache = cacheFolder();
  const folder = join(cache, name);
  if (await exists(folder)) return folder;

  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  while (!(await takeLock(lock))) {
    await delay(LOCK_POLL_MS);
    if (await exists(folder)) return folder;
  }
  try {
    if (await exists(folder)) return folder;
    await removeAbandoned(cache, name);
    const partial = `${folder}.partial-${process.pid}-${Date.now()}`;
    await mkdir(partial);
    try {
      await fill(partial);
      await rename(partial, folder).catch(async (error: unknown) => {
        if (!(await exists(folder))) throw error;
      });
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return folder;
  } finally {
    await rm(lock, { force: true });
  }
}

async function takeLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (await isAbandoned(lock)) await rm(lock, { force: true });
  return false;
}

async function isAbandoned(lock: string): Promise<boolean> {
  try {
    const pid = Number(await readFile(lock, 'utf8'));
    // The lock file is empty for a moment between its creation and the write of the process ID.
    if (pid > 0 && !isAlive(pid)) return true;
    return await isOld(lock);
  } catch {
    return false;
  }
}

async function removeAbandoned(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    const path = join(cache, entry);
    if (entry.startsWith(`${name}.partial-`) && (await isOld(path))) await rm(path, { recursive: true, force: true });
  }
}

async function isOld(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
