/** Shows each setting in force and where it comes from, without calling a service. */
import { loadClientConfigProfile, type ClientConfigTLS } from '@temporalio/envconfig';
import {
  jointFaults,
  SETTINGS,
  SettingsError,
  type Environment,
  type Setting,
  type SettingName,
} from '../../config/settings.ts';
import { filesOfOthers } from '../../config/own-files.ts';
import { defined } from '../../domain/defined.ts';
import { TLS_SWITCHES } from '../../config/surroundings.ts';
import {
  configFile,
  connectionFaults,
  loadTemporalConfig,
  switchFaults,
  whyUnreadable,
} from '../../config/temporal.ts';
import { TRACING_SETTINGS } from '../../config/tracing.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { ENCRYPTED_JWT_VARIABLE } from '../input/read-input.ts';
import { tableOf, type ColumnOf } from '../terminal/table.ts';
import type { Command } from 'commander';
import { examples } from '../options.ts';

interface SettingInForce {
  name: string;
  /** `null` if there is none, or if it is secret. */
  value: string | null;
  source: string;
  /** The setting is set and secret. */
  hidden?: true;
  fault?: string;
  /** Why the value in the environment is ignored. */
  ignored?: string;
}

export function define(command: Command): Command {
  return command
    .description(
      'Shows each setting in force and where it comes from: the environment, a temporal.toml, or the default. Secrets are ' +
        'hidden. Connects to no service. Exit code 2 if a setting is not valid.',
    )
    .addHelpText('after', examples('role-build config', 'role-build config --json'));
}

export async function run({ env, output, json }: CommandContext): CommandResult {
  const own = ownSettings(env);
  const temporal = temporalSettings(env);
  const settings = [...own.settings, ...temporal, ...awsSettings(env)];
  const wrong = settings.filter(({ fault }) => fault !== undefined);
  const faults = [
    ...wrong.map(({ name, fault }) => `${name} ${fault}`),
    ...own.faults,
    ...(temporal.some(({ fault }) => fault !== undefined) ? [] : temporalFaults(env)),
    ...filesOfOthers(env),
  ];
  if (json) {
    output.json(defined({ settings, faults: faults.length > 0 ? faults : undefined }));
  } else {
    output.screen(tableOf(COLUMNS, settings, output.terminal));
  }
  for (const { name, ignored } of settings) {
    if (ignored !== undefined) output.note(`role-build: ${name} is ignored: it ${ignored}`);
  }
  for (const fault of faults) output.error(`role-build: ${fault}`);
  return faults.length > 0 ? 'usage' : 'done';
}

const COLUMNS: readonly ColumnOf<SettingInForce>[] = [
  { head: 'SETTING', cell: ({ name }, style) => style.bold(name) },
  {
    head: 'VALUE',
    min: 16,
    cell: ({ value, hidden }, style) =>
      value === null ? style.dim(hidden === true ? '(hidden)' : '(none)') : style.plain(value),
  },
  {
    head: 'FROM',
    min: 11,
    cell: ({ source, fault }, style) => (fault === undefined ? style.dim(source) : style.bad('wrong')),
  },
];

/** @returns also the faults of settings that are valid alone, but not together */
function ownSettings(env: Environment): { settings: SettingInForce[]; faults: string[] } {
  const given: Partial<Record<SettingName, unknown>> = {};
  const settings = (Object.keys(SETTINGS) as SettingName[]).map((name): SettingInForce => {
    const { default: fallback, requiredBy, secret, parse }: Setting<unknown> = SETTINGS[name];
    const byDefault = { name, value: fallback || null, source: 'default' };
    const set = env[name];
    if (!set) {
      given[name] = fallback === undefined ? undefined : parse(fallback);
      const isRequired = fallback === undefined && requiredBy !== undefined;
      return isRequired ? { ...byDefault, source: `not set; required by the ${requiredBy}` } : byDefault;
    }
    try {
      given[name] = parse(set);
      return shown(name, secret ? null : set, 'environment');
    } catch (err) {
      // A value that is not valid is hidden: it may contain a password by mistake.
      const fault = (err as Error).message;
      return name in TRACING_SETTINGS
        ? { ...byDefault, ignored: fault }
        : { ...shown(name, null, 'environment'), fault };
    }
  });
  // Codec server settings are checked together only if one is set, which means that someone runs a codec server.
  const isOfCodecServer = ([name, value]: [string, unknown]) => name.startsWith('CODEC_SERVER_') && value;
  if (!Object.entries(env).some(isOfCodecServer)) delete given.CODEC_SERVER_ADDRESS;
  const wrong = settings.filter(({ fault }) => fault !== undefined).map(({ name }) => name);
  const faults = jointFaults(given as Parameters<typeof jointFaults>[0], wrong);
  return { settings: [...settings, fromEnvironment(env, ENCRYPTED_JWT_VARIABLE, 'not set', true)], faults };
}

/** Returns why a command could not connect to Temporal, such as a certificate file that does not exist. */
function temporalFaults(env: Environment): readonly string[] {
  try {
    loadTemporalConfig(env);
    return [];
  } catch (err) {
    if (err instanceof SettingsError) return err.faults;
    throw err;
  }
}

const UNVERIFIED = 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION';

/** Reads the settings as `@temporalio/envconfig` does: variables outrank the file, the file outranks the defaults. */
function temporalSettings(env: Environment): SettingInForce[] {
  const switches = switchFaults(env);
  if (switches.size > 0) return [...switches].map(([name, fault]) => ({ ...shown(name, null, 'environment'), fault }));
  let profile: ReturnType<typeof loadClientConfigProfile>;
  try {
    // Drops empty switches, as checkSurroundings does before a program connects.
    const variables = defined({
      ...env,
      ...Object.fromEntries(TLS_SWITCHES.map((name) => [name, env[name] || undefined])),
    });
    profile = loadClientConfigProfile({ ...configFile(env), overrideEnvVars: variables as Record<string, string> });
  } catch (err) {
    const why = whyUnreadable(err);
    const source = env['TEMPORAL_CONFIG_FILE'] ?? 'temporal.toml';
    const isFound = why.startsWith('Profile ');
    const name = isFound ? 'TEMPORAL_PROFILE' : 'TEMPORAL_CONFIG_FILE';
    return [
      {
        name,
        value: isFound ? null : source,
        source,
        fault: `${isFound ? 'names no profile' : "can't be read"}: ${why}`,
      },
    ];
  }
  const file = `temporal.toml (profile ${env['TEMPORAL_PROFILE'] || 'default'})`;
  const from = (variable: string, value: unknown) =>
    value === undefined ? 'default' : env[variable] === undefined ? file : 'environment';
  const { address, namespace, apiKey, tls, grpcMeta } = profile;
  const hasTls = tls === undefined ? apiKey !== undefined : tls.disabled !== true;
  const tlsVariable = Object.keys(env).find((name) => name.startsWith('TEMPORAL_TLS') && env[name]) ?? 'TEMPORAL_TLS';
  const tlsSource = tls === undefined && apiKey !== undefined ? 'because of the API key' : from(tlsVariable, tls);
  const faults = connectionFaults(address, namespace, apiKey);
  const connected = (name: string, value: string | undefined, fallback: string): SettingInForce => {
    const fault = faults.get(name);
    return {
      ...shown(name, fault === undefined ? (value ?? fallback) : null, from(name, value)),
      ...defined({ fault }),
    };
  };
  const apiKeySource = from('TEMPORAL_API_KEY', apiKey);
  return [
    connected('TEMPORAL_ADDRESS', address, '127.0.0.1:7233'),
    connected('TEMPORAL_NAMESPACE', namespace, 'default'),
    apiKey === undefined
      ? { name: 'TEMPORAL_API_KEY', value: null, source: apiKeySource }
      : { ...shown('TEMPORAL_API_KEY', null, apiKeySource), ...defined({ fault: faults.get('TEMPORAL_API_KEY') }) },
    shown('TEMPORAL_TLS', String(hasTls), tlsSource),
    ...(hasTls ? tlsSettings(tls, from) : []),
    ...(/^(true|1)$/.test(env[UNVERIFIED] ?? '')
      ? [
          {
            name: UNVERIFIED,
            value: 'false',
            source: 'default',
            ignored: "has no effect: Temporal's SDK always verifies",
          },
        ]
      : []),
    ...['TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE', 'NODE_EXTRA_CA_CERTS'].flatMap((name) =>
      env[name] ? shown(name, env[name], 'environment') : [],
    ),
    // Headers may carry credentials, so their values are hidden.
    ...Object.keys(grpcMeta ?? {}).map((name) => {
      const variable = `TEMPORAL_GRPC_META_${name.toUpperCase().replaceAll('-', '_')}`;
      return shown(variable, null, from(variable, name));
    }),
  ];
}

/** Returns the TLS settings that are set, each by its own variable. */
function tlsSettings(tls: ClientConfigTLS = {}, from: (variable: string, value: unknown) => string): SettingInForce[] {
  const { serverName, serverCACert, clientCert, clientKey } = tls;
  const pems = { SERVER_CA_CERT: serverCACert, CLIENT_CERT: clientCert, CLIENT_KEY: clientKey };
  const rows = Object.entries(pems).map(([name, pem]): [string, string | null | undefined] =>
    pem && 'path' in pem ? [`${name}_PATH`, pem.path] : [`${name}_DATA`, pem && null],
  );
  return [['SERVER_NAME', serverName] as const, ...rows].flatMap(([name, value]) => {
    const variable = `TEMPORAL_TLS_${name}`;
    return value === undefined ? [] : shown(variable, value, from(variable, value));
  });
}

/** Returns the AWS SDK's main settings in the environment. The SDK may find others in its own files. */
function awsSettings(env: Environment): SettingInForce[] {
  const names = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ACCESS_KEY_ID'];
  const secrets = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
  const elsewhere = "not set; the AWS SDK's own files";
  return [...names, ...secrets].map((name) => fromEnvironment(env, name, elsewhere, secrets.includes(name)));
}

function fromEnvironment(env: Environment, name: string, elsewhere: string, isSecret: boolean): SettingInForce {
  const value = env[name];
  return value ? shown(name, isSecret ? null : value, 'environment') : { name, value: null, source: elsewhere };
}

/** @param value `null` for a secret. Hides a password in an address, and its query, which may hold a key */
function shown(name: string, value: string | null, source: string): SettingInForce {
  if (value === null) return { name, value, source, hidden: true };
  // Hides up to the last `@`, since a password may contain `@` or a slash.
  const safe = value.replace(/^([^:@]*:[\\/]*)[^]*@/, '$1(hidden)@').replace(/(:\/\/[^?]*\?).*/, '$1(hidden)');
  return { name, value: safe, source };
}
