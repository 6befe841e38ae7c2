/** Prepares once what all test files of `npm test` use. A file that is run alone works without it. */
import { execFileSync } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TemporalServer } from '../../dev/servers/temporal-server.ts';
import { BUILT_VARIABLE } from './programs.ts';
import { ADDRESS_VARIABLE, startSharedServer, UI_VARIABLE } from './shared-temporal.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'dist');
/** The file that the build writes last. */
const LAST_BUILT = join(dist, 'workflow-bundle.js');

let temporal: TemporalServer | undefined;

export async function globalSetup(): Promise<void> {
  if (newestSource() > changedMs(LAST_BUILT)) {
    execFileSync(process.execPath, [join(root, 'scripts', 'build.ts')], {
      stdio: ['ignore', process.stderr, 'inherit'],
    });
  }
  process.env[BUILT_VARIABLE] = dist;
  // All processes of the run load V8's compiled code from here, with TypeScript's types already stripped.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules', '.cache', 'v8');
  temporal = await startSharedServer();
  process.env[ADDRESS_VARIABLE] = temporal.address;
  process.env[UI_VARIABLE] = temporal.uiUrl;
}

export async function globalTeardown(): Promise<void> {
  await temporal?.stop();
}

/** Includes folders, since deleting a file changes only its folder's time. */
function newestSource(): number {
  const paths = globSync(['src/**', 'scripts/*build*.ts', 'scripts/bundle-client.ts', 'package-lock.json'], {
    cwd: root,
  });
  return Math.max(...paths.map((path) => changedMs(join(root, path))));
}

function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
