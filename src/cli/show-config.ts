/** Each setting in force and where it comes from, without asking any service. */
import { loadClientConfigProfile } from '@temporalio/envconfig';
import {
  readSettings,
  SETTINGS,
  SETTINGS_WITH_SECRETS,
  SettingsError,
  type Environment,
  type Setting,
  type SettingName,
} from '../config.ts';
import { filesOfOthers } from '../own-files.ts';
import { configFile, whyUnreadable } from '../temporal-config.ts';
import { TRACING_SETTINGS } from '../tracing/settings.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { ENCRYPTED_JWT_VARIABLE } from './read-input.ts';
import { styleFor } from './style.ts';
import { table } from './table.ts';

interface SettingInForce {
  name: string;
  /** `null` where there is none, or where it is a secret. */
  value: string | null;
  source: string;
  /** It is set, and not for anybody's eyes. */
  hidden?: true;
  /** What is wrong with it. */
  fault?: string;
  /** Why the value in the environment is not in force. */
  ignored?: string;
}

export async function showConfig({ env, output, json }: CommandContext): CommandResult {
  const settings = [...ownSettings(env), ...temporalSettings(env), ...awsSettings(env)];
  const wrong = settings.filter(({ fault }) => fault !== undefined);
  if (json) {
    output.json({ settings });
  } else {
    const style = styleFor(output.terminal);
    const rows = settings.map(({ name, value, source, hidden, fault }) => [
      style.bold(name),
      hidden === true ? style.dim('(hidden)') : value === null ? style.dim('(none)') : style.plain(value),
      fault === undefined ? style.dim(source) : style.bad('wrong'),
    ]);
    output.screen(
      table(
        [{ head: 'SETTING' }, { head: 'VALUE', min: 16 }, { head: 'FROM', min: 11 }],
        rows,
        output.terminal.columns,
        style.dim,
      ),
    );
  }
  for (const { name, ignored } of settings) {
    if (ignored !== undefined) output.note(`role-build: ${name} is ignored: it ${ignored}`);
  }
  const faults = [...wrong.map(({ name, fault }) => `${name} ${fault}`), ...filesOfOthers(env)];
  for (const fault of faults) output.error(`role-build: ${fault}`);
  return faults.length > 0 ? 'usage' : 'done';
}

function ownSettings(env: Environment): SettingInForce[] {
  const own = (Object.keys(SETTINGS) as SettingName[]).map((name): SettingInForce => {
    const { default: fallback, requiredBy }: Setting<unknown> = SETTINGS[name];
    const given = env[name];
    if (given === undefined || given === '') {
      const source =
        fallback === undefined && requiredBy !== undefined ? `not set; required by the ${requiredBy}` : 'default';
      return { name, value: fallback || null, source };
    }
    const source = 'environment';
    try {
      readSettings(env, [name]);
      return SETTINGS_WITH_SECRETS.has(name)
        ? { name, value: null, source, hidden: true }
        : { name, value: withoutSecrets(given), source };
    } catch (err) {
      // A value that is refused may hold what it must not, such as a password.
      const fault = (err instanceof SettingsError ? err.faults.join() : String(err)).replace(`${name} `, '');
      return name in TRACING_SETTINGS
        ? { name, value: fallback || null, source: 'default', ignored: fault }
        : { name, value: null, source, hidden: true, fault };
    }
  });
  return [...own, secretOf(env, ENCRYPTED_JWT_VARIABLE)];
}

/** As `@temporalio/envconfig` reads them: variables outrank the file, the file outranks the defaults. */
function temporalSettings(env: Environment): SettingInForce[] {
  const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
  let profile: ReturnType<typeof loadClientConfigProfile>;
  try {
    profile = loadClientConfigProfile({ ...configFile(env), overrideEnvVars: variables });
  } catch (err) {
    const source = env['TEMPORAL_CONFIG_FILE'] ?? 'temporal.toml';
    return [{ name: 'TEMPORAL_CONFIG_FILE', value: source, source, fault: `can't be read: ${whyUnreadable(err)}` }];
  }
  const file = `temporal.toml (profile ${env['TEMPORAL_PROFILE'] || 'default'})`;
  const from = (variable: string, value: unknown) =>
    value === undefined ? 'default' : env[variable] === undefined ? file : 'environment';
  const { address, namespace, apiKey, tls, grpcMeta } = profile;
  const hasTls = tls === undefined ? apiKey !== undefined : tls.disabled !== true;
  const tlsVariable = Object.keys(env).find((name) => name.startsWith('TEMPORAL_TLS') && env[name]) ?? 'TEMPORAL_TLS';
  return [
    { name: 'TEMPORAL_ADDRESS', value: address ?? '127.0.0.1:7233', source: from('TEMPORAL_ADDRESS', address) },
    { name: 'TEMPORAL_NAMESPACE', value: namespace ?? 'default', source: from('TEMPORAL_NAMESPACE', namespace) },
    {
      name: 'TEMPORAL_API_KEY',
      value: null,
      source: from('TEMPORAL_API_KEY', apiKey),
      ...(apiKey === undefined ? {} : { hidden: true }),
    },
    {
      name: 'TEMPORAL_TLS',
      value: String(hasTls),
      source: tls === undefined && apiKey !== undefined ? 'because of the API key' : from(tlsVariable, tls),
    },
    // Headers may carry credentials.
    ...Object.keys(grpcMeta ?? {}).map((name): SettingInForce => {
      const variable = `TEMPORAL_GRPC_META_${name.toUpperCase().replaceAll('-', '_')}`;
      return { name: variable, value: null, source: from(variable, name), hidden: true };
    }),
  ];
}

/** What of the AWS SDK's settings stands in the environment; what is not there, the SDK looks for in its own files. */
function awsSettings(env: Environment): SettingInForce[] {
  const shown = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ACCESS_KEY_ID'];
  return [
    ...shown.map((name): SettingInForce => {
      const value = env[name] || undefined;
      return { name, value: value === undefined ? null : withoutSecrets(value), source: awsSource(value) };
    }),
    ...['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].map((name) => ({
      ...secretOf(env, name),
      source: awsSource(env[name]),
    })),
  ];
}

function awsSource(value: string | undefined): string {
  return value ? 'environment' : "not set; the AWS SDK's own files";
}

function secretOf(env: Environment, name: string): SettingInForce {
  const isSet = env[name] !== undefined && env[name] !== '';
  return { name, value: null, source: isSet ? 'environment' : 'not set', ...(isSet ? { hidden: true } : {}) };
}

/** An address may have a password in it, or a key in its query. */
function withoutSecrets(value: string): string {
  return value.replace(/(:\/\/)[^/@]*@/, '$1(hidden)@').replace(/(:\/\/[^?]*\?).*/, '$1(hidden)');
}
