/** Temporal's own settings: its variables, and the profile of `temporal.toml`, as `@temporalio/envconfig` reads them. */
import { readFileSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SettingsError, type Environment } from './settings.ts';
import { temporalConfigPath } from './own-files.ts';
import { TLS_SWITCHES } from './surroundings.ts';
import { utf8Text } from '../process/utf8.ts';

/** @param env the process's own, which the library reads @throws SettingsError if they can't be read */
export function loadTemporalConfig(env: Environment): ReturnType<typeof loadClientConnectConfig> {
  const wrong = switchFaults(env);
  if (wrong.size > 0) throw new SettingsError(namedFaults(wrong));
  let config: ReturnType<typeof loadClientConnectConfig>;
  try {
    config = loadClientConnectConfig(configFile(env));
  } catch (err) {
    const { path } = err as NodeJS.ErrnoException;
    const named = Object.keys(env).find((name) => name.startsWith('TEMPORAL_') && env[name] === path);
    const which = named === undefined ? '' : ` (${named})`;
    throw new SettingsError([`Temporal's variables or temporal.toml: ${whyUnreadable(err)}${which}`]);
  }
  const faults = connectionFaults(config.connectionOptions.address, config.namespace);
  if (faults.size > 0) throw new SettingsError(namedFaults(faults));
  return config;
}

/** Faults of variables, by their names: any word for true but these would have the library send the API key in the clear. */
export function switchFaults(env: Environment): Map<string, string> {
  const wrong = TLS_SWITCHES.filter((name) => !/^(true|false|1|0|)$/.test(env[name] ?? ''));
  return new Map(wrong.map((name) => [name, `must be true or false, not ${JSON.stringify(env[name])}`]));
}

function namedFaults(faults: ReadonlyMap<string, string>): string[] {
  return [...faults].map(([name, fault]) => `${name} ${fault}`);
}

/** What the library lets through, by the variable's name. The value is not repeated, since it may have a password in it. */
export function connectionFaults(address = '', namespace = ''): Map<string, string> {
  const faults = new Map<string, string>();
  if (address.includes('@')) faults.set('TEMPORAL_ADDRESS', 'must be host:port, without a user name or password');
  if (!/^[\x20-\x7e]*$/.test(namespace)) {
    faults.set('TEMPORAL_NAMESPACE', 'must be printable ASCII, since it becomes a header');
  }
  return faults;
}

/**
 * `temporal.toml` as text, for the library, which by itself would replace what is not UTF-8, and take a missing file for an
 * empty one. Only the file in Temporal's usual place may be missing.
 *
 * @throws the system's error, or NotUtf8Error
 */
export function configFile(env: Environment): { configSource?: { data: string } } {
  // The library would find `constructor` among its profiles, as in any object.
  const profile = env['TEMPORAL_PROFILE'] ?? '';
  if (profile in Object.prototype) throw new Error(`Profile '${profile}' not found in config data`);
  const named = env['TEMPORAL_CONFIG_FILE'] || undefined;
  const path = named ?? temporalConfigPath(env);
  if (path === undefined) return {};
  try {
    return { configSource: { data: utf8Text(readFileSync(path)) } };
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT' && named === undefined) return {};
    throw err;
  }
}

/** Of a fault in `temporal.toml` the parser shows the lines around, in which the API key may stand: the place is enough. */
export function whyUnreadable(err: unknown): string {
  const { message, line, column } = err as Error & { line?: number; column?: number };
  if (err instanceof TypeError) return 'not laid out as temporal.toml is';
  return `${message.split('\n')[0]}${line === undefined ? '' : ` (line ${line}, column ${column})`}`;
}
