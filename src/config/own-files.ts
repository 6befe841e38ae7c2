/** Files and folders that programs look for by default. They are not trusted if another user can write to them. */
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Environment } from './values.ts';

const OTHERS_MAY_WRITE = 0o002;
const GROUP_OR_OTHERS_MAY_WRITE = 0o022;
/** In a folder with this mode, such as `/tmp`, nobody can replace another user's files. */
const STICKY = 0o1000;

/**
 * Returns the folder of this user's caches for this project: in `$XDG_CACHE_HOME`, else in `~/.cache`.
 * https://specifications.freedesktop.org/basedir-spec/latest/
 *
 * @throws Error if neither variable has an absolute path
 */
export function cachePath(env: Environment): string {
  const { XDG_CACHE_HOME: given = '' } = env;
  // The specification says to ignore a relative path.
  const caches = isAbsolute(given) ? given : join(homeOf(env), '.cache');
  if (!isAbsolute(caches)) throw new Error('neither XDG_CACHE_HOME nor HOME is an absolute path');
  return join(caches, 'iam-orchestrator');
}

/**
 * Makes sure that only this user and root can have written to a folder. Creates it with mode 0700 if it is missing.
 *
 * @returns its path without symbolic links
 * @throws Error that says why it can't be trusted or created
 */
export function ownFolder(path: string): string {
  const folder = make(path);
  if (lstatSync(folder).uid !== process.getuid?.()) throw new Error(`${folder} belongs to another user`);
  return folder;
}

function make(path: string): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch (err) {
    // A home that doesn't exist, such as /nonexistent, is not created in the root folder.
    const isInRoot = dirname(dirname(path)) === dirname(path);
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT' || isInRoot) throw err;
    real = join(make(dirname(path)), basename(path));
    makeFolder(real);
  }
  refuseOthers(real, GROUP_OR_OTHERS_MAY_WRITE);
  return real;
}

/** Node.js's own recursive mkdir never ends in a file system such as /proc. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (err) {
    // Another process of this user may have created the folder meanwhile.
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  }
}

/**
 * Checks the files that Temporal's and AWS's libraries read by default: an address or a command in them decides where
 * credentials go. Files that a variable names are trusted, since somebody has chosen them.
 *
 * @returns a fault for each such file that another user may have written
 */
export function filesOfOthers(env: Environment): string[] {
  // Windows has neither numeric owners nor these modes.
  if (process.getuid === undefined) return [];
  return Object.entries(defaultFiles(env)).flatMap(([variable, path]) => {
    if (env[variable]) return [];
    try {
      // Write permission for the group is accepted: many systems give each user a private group with it.
      refuseOthers(realpathSync(path), OTHERS_MAY_WRITE);
      return [];
    } catch (err) {
      // An error of the system: the file doesn't exist or can't be reached.
      if ((err as NodeJS.ErrnoException).code !== undefined) return [];
      return [`${variable} is not set, and its default, ${path}, is not trusted: ${(err as Error).message}`];
    }
  });
}

/** Returns where Temporal's library looks for `temporal.toml` by default; `undefined` if it looks nowhere. */
export function temporalConfigPath(env: Environment): string | undefined {
  // The library takes the home only from these two variables, and ignores a relative path.
  const { HOME, XDG_CONFIG_HOME } = env;
  const path = HOME || XDG_CONFIG_HOME ? defaultFiles(env)['TEMPORAL_CONFIG_FILE'] : undefined;
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

function defaultFiles(env: Environment): Record<string, string> {
  let home: string;
  try {
    home = homeOf(env);
  } catch {
    return {};
  }
  const isMac = process.platform === 'darwin';
  const settings = isMac
    ? join(home, 'Library', 'Application Support')
    : env['XDG_CONFIG_HOME'] || join(home, '.config');
  return {
    TEMPORAL_CONFIG_FILE: join(settings, 'temporalio', 'temporal.toml'),
    AWS_CONFIG_FILE: join(home, '.aws', 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(home, '.aws', 'credentials'),
  };
}

/** @throws Error if this user has no home */
function homeOf({ HOME: home }: Environment): string {
  return home || userInfo().homedir;
}

/** @param path without symbolic links @throws Error if users other than this one and root can have written there */
function refuseOthers(path: string, mayWrite: number): void {
  for (let at = path; ; at = dirname(at)) {
    const stats = lstatSync(at);
    if (stats.uid !== 0 && stats.uid !== process.getuid?.()) throw new Error(`${at} belongs to another user`);
    const isSticky = stats.isDirectory() && (stats.mode & STICKY) !== 0;
    if ((stats.mode & mayWrite) !== 0 && !isSticky) throw new Error(`other users can write to ${at}`);
    if (at === dirname(at)) return;
  }
}
