import { userInfo } from 'node:os';
import { SettingsError } from './settings.ts';
import { filesOfOthers } from './own-files.ts';

const EXIT_BAD_SETTINGS = 2;
/** As the runtimes of containers have it for a user ID without a name. */
const NO_HOME = '/';
/** Variables that Temporal's library takes for false unless they are `true` or `1`. */
export const TLS_SWITCHES = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];

/**
 * Called by every program before it connects to anything: what another user, or a variable meant for another program, must
 * not decide, and what is missing that libraries do not do without.
 *
 * @param env the process's own: Node.js looks at it at every connection
 * @param warn called with a variable that is ignored
 * @throws SettingsError if a library would read another user's file
 */
export function checkSurroundings(env: NodeJS.ProcessEnv, warn: (text: string) => void): void {
  env['HOME'] ||= homeOfUser();
  const faults = filesOfOthers(env);
  if (faults.length > 0) throw new SettingsError(faults);
  // The AWS SDK reads the one alone; other tools of AWS read both, and some platforms set no other.
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = env;
  if (!region && fallback) env['AWS_REGION'] = fallback;
  // With one that is empty, it would send the API key in the clear.
  for (const name of TLS_SWITCHES) if (env[name] === '') delete env[name];
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return;
  delete env['NODE_TLS_REJECT_UNAUTHORIZED'];
  warn('NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored; NODE_EXTRA_CA_CERTS names an authority to trust');
}

/** In a container a process may run under a user ID that has no name, and AWS's SDK fails if nobody says where its home is. */
function homeOfUser(): string {
  try {
    return userInfo().homedir;
  } catch {
    return NO_HOME;
  }
}

/**
 * Has a program check its surroundings and read its settings. If they can't work, stderr says why and the process ends with 2.
 *
 * @param env the process's own
 */
export function settingsOrExit<T>(program: string, env: NodeJS.ProcessEnv, read: () => T): T {
  try {
    checkSurroundings(env, (warning) => process.stderr.write(`${program}: ${warning}\n`));
    return read();
  } catch (err) {
    if (!(err instanceof SettingsError)) throw err;
    process.stderr.write(`${program}: ${err.message}\n`);
    process.exit(EXIT_BAD_SETTINGS);
  }
}
