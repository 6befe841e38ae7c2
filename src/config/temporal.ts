/** Temporal's own settings: its variables, and the profile of `temporal.toml`, as `@temporalio/envconfig` reads them. */
import { readFileSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SettingsError, type Environment } from './settings.ts';
import { temporalConfigPath } from './own-files.ts';
import { TLS_SWITCHES } from './surroundings.ts';
import { utf8Text } from '../process/utf8.ts';

/** @param env the process's own, which the library reads @throws SettingsError if the configuration can't be read */
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
  const { address, apiKey } = config.connectionOptions;
  const faults = connectionFaults(address, config.namespace, apiKey);
  if (faults.size > 0) throw new SettingsError(namedFaults(faults));
  return config;
}

/** Returns faults by variable. The library takes any other word for false, and would send the API key without TLS. */
export function switchFaults(env: Environment): Map<string, string> {
  const wrong = TLS_SWITCHES.filter((name) => !/^(true|false|1|0|)$/.test(env[name] ?? ''));
  return new Map(wrong.map((name) => [name, `must be true or false, not ${JSON.stringify(env[name])}`]));
}

function namedFaults(faults: ReadonlyMap<string, string>): string[] {
  return [...faults].map(([name, fault]) => `${name} ${fault}`);
}

/** Returns faults that the library accepts, by variable. Omits the value, since it may contain a password. */
export function connectionFaults(address = '', namespace = '', apiKey: unknown = ''): Map<string, string> {
  const faults = new Map<string, string>();
  const port = /:(\d+)$/.exec(address)?.[1];
  if (/[\s/]/.test(address) || Number(port ?? 0) > 65_535) {
    faults.set('TEMPORAL_ADDRESS', 'must be host:port, without white space or a scheme');
  }
  if (address.includes('@')) faults.set('TEMPORAL_ADDRESS', 'must be host:port, without a user name or password');
  if (!/^[\x20-\x7e]*$/.test(namespace)) {
    faults.set('TEMPORAL_NAMESPACE', 'must be printable ASCII, since it becomes a header');
  } else if (namespace !== namespace.trim()) {
    faults.set('TEMPORAL_NAMESPACE', 'must not begin or end with white space');
  }
  if (typeof apiKey === 'string' && !/^[\x21-\x7e]*$/.test(apiKey)) {
    faults.set('TEMPORAL_API_KEY', 'must be printable ASCII without white space, since it becomes a header');
  }
  return faults;
}

/**
 * Reads `temporal.toml` as text for the library. The library itself would replace bytes that are not UTF-8, and treat a
 * missing file as an empty one. Only the file in Temporal's default place may be missing.
 *
 * @throws the system's error, or NotUtf8Error
 */
export function configFile(env: Environment): { configSource?: { data: string } } {
  // The library looks profiles up in a plain object, so it would find one called `constructor`.
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

/** Keeps only the position of a syntax error: the parser quotes the lines around it, which may hold the API key. */
export function whyUnreadable(err: unknown): string {
  const { message, line, column } = err as Error & { line?: number; column?: number };
  if (err instanceof TypeError) return 'not laid out as temporal.toml is';
  return `${message.split('\n')[0]}${line === undefined ? '' : ` (line ${line}, column ${column})`}`;
}
