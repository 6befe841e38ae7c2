/** Temporal's own settings: its variables, and the profile of `temporal.toml`, as `@temporalio/envconfig` reads them. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SettingsError } from './config.ts';

/** @throws SettingsError if they can't be read */
export function loadTemporalConfig(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (err) {
    throw new SettingsError([`Temporal's variables or temporal.toml: ${whyUnreadable(err)}`]);
  }
}

/** Of a fault in `temporal.toml` the parser shows the lines around, in which the API key may stand: the place is enough. */
export function whyUnreadable(err: unknown): string {
  const { message, line, column } = err as Error & { line?: number; column?: number };
  if (err instanceof TypeError) return 'not laid out as temporal.toml is';
  return `${message.split('\n')[0]}${line === undefined ? '' : ` (line ${line}, column ${column})`}`;
}
