import { execFile } from 'node:child_process';
import { access, constants, readdir, rename } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { installOnce } from './cache.ts';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;

/**
 * Returns the path of the `prometheus` executable: `PROMETHEUS`, or on PATH, or from Debian's package, downloaded once.
 *
 * @throws if it is neither installed nor downloadable
 */
export function findPrometheus(): Promise<string> {
  return find('prometheus', 'PROMETHEUS');
}

/** Does as {@link findPrometheus} for `promtool`: `PROMTOOL`, PATH, or the same package. */
export function findPromtool(): Promise<string> {
  return find('promtool', 'PROMTOOL');
}

async function find(command: string, variable: string): Promise<string> {
  const given = process.env[variable];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const places = given ? [given] : folders.map((folder) => resolve(folder, command));
  for (const path of places) {
    if (await isExecutable(path)) return path;
  }
  if (given) throw new Error(`${variable} is "${given}", which is not an executable file`);
  try {
    return join(await installOnce('prometheus-debian', download), 'usr', 'bin', command);
  } catch (err) {
    throw new Error(
      `${command} is not on PATH, and Debian's package prometheus could not be had; set ${variable}=/path/to/${command}`,
      { cause: err },
    );
  }
}

async function download(folder: string): Promise<void> {
  const options = { cwd: folder, timeout: DOWNLOAD_TIMEOUT_MS };
  await run('apt-get', ['download', '--quiet', 'prometheus'], options);
  const [file] = await readdir(folder);
  if (file === undefined) throw new Error('apt-get downloaded nothing');
  await run('dpkg', ['-x', file, 'unpacked'], options);
  await rename(join(folder, 'unpacked', 'usr'), join(folder, 'usr'));
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
