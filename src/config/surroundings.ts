import { userInfo } from 'node:os';
import { SettingsError } from './settings.ts';
import { filesOfOthers } from './own-files.ts';

const EXIT_BAD_SETTINGS = 2;
/** Container runtimes use this home for a user ID without a name. */
const NO_HOME = '/';
/** Temporal's library reads these variables as false unless they are `true` or `1`. */
export const TLS_SWITCHES = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];

/**
 * Checks and corrects the environment. Every program calls it before it connects, so that neither another user's file
 * nor a variable meant for other programs decides where credentials go. Also sets what libraries can't do without.
 *
 * @param env the process's own, because Node.js reads it for every connection
 * @param warn called with the name of a variable that is ignored
 * @throws SettingsError if a library would read a file that another user can write
 */
export function checkSurroundings(env: NodeJS.ProcessEnv, warn: (text: string) => void): void {
  env['HOME'] ||= homeOfUser();
  const faults = filesOfOthers(env);
  if (faults.length > 0) throw new SettingsError(faults);
  // The AWS SDK reads AWS_REGION only; other AWS tools read both variables, and some platforms set only the default.
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = env;
  if (!region && fallback) env['AWS_REGION'] = fallback;
  // If one of these is empty, the library turns TLS off and sends the API key in plain text.
  for (const name of TLS_SWITCHES) if (env[name] === '') delete env[name];
  // A Secret that was made from a file often ends in a line break, with which the worker's client would send no key.
  const apiKey = env['TEMPORAL_API_KEY'];
  if (apiKey !== undefined) env['TEMPORAL_API_KEY'] = apiKey.replace(/\r?\n$/, '');
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return;
  delete env['NODE_TLS_REJECT_UNAUTHORIZED'];
  warn('NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored; NODE_EXTRA_CA_CERTS names an authority to trust');
}

/** A container may run under a user ID without a name. The AWS SDK fails if no variable names a home then. */
function homeOfUser(): string {
  try {
    return userInfo().homedir;
  } catch {
    return NO_HOME;
  }
}

/**
 * Checks a program's surroundings and reads its settings. If they are not valid, prints why on stderr and exits with 2.
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
