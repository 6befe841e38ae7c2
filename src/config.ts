/**
 * Every setting of ours: its variable, its default, what it must be. Parsed once, every fault reported together.
 * Temporal's own variables go through `@temporalio/envconfig`, AWS's own through the AWS SDK.
 */
import { codecServerFaults, jwksUrl, requiredClaim } from './codec-server/settings.ts';
import { DEFAULT_TASK_QUEUE } from './contract.ts';
import {
  encryptionFaults,
  localKeysIn,
  parseKmsKeyArns,
  parseLocalKeys,
  type EncryptionSettings,
} from './encryption/settings.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from './records/names.ts';
import {
  headerText,
  hostPort,
  logLevel,
  number,
  oneOf,
  optional,
  origins,
  proxy,
  requestHeaderName,
  setting,
  text,
  trueOrFalse,
  webAddress,
  wholeNumber,
  type Setting,
} from './setting-values.ts';
import { TRACE_HEADERS, TRACING_SECRETS, TRACING_SETTINGS } from './tracing/settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export { LOG_LEVELS, type LogLevel, type Setting } from './setting-values.ts';

export const SETTINGS = {
  ROLE_BUILD_TASK_QUEUE: setting({
    default: DEFAULT_TASK_QUEUE,
    meaning: 'task queue of worker and client',
    parse: text,
  }),
  STATUS_TABLE: setting({ default: STATUS_TABLE_NAME, meaning: 'table of status records', parse: text }),
  HISTORY_TABLE: setting({ default: HISTORY_TABLE_NAME, meaning: 'table of history records', parse: text }),
  API_ALB_FQDN: setting({
    requiredBy: 'worker',
    meaning: 'used as it stands in the header `Referer: {value}/proxy`',
    parse: headerText,
  }),
  BUILD_API_ALLOWED_ORIGINS: setting({
    requiredBy: 'worker',
    meaning: 'comma-separated origins that `url` may have; all else is refused before anything is written',
    parse: origins,
  }),
  BUILD_API_TIMEOUT_SECONDS: setting({
    default: '30',
    meaning: 'whole request, connect to last byte; 1 to 60',
    parse: (value) => number(value, 1, 60),
  }),
  BUILD_API_IDEMPOTENCY_HEADER: setting({
    default: '',
    meaning: 'one more header that carries the request ID in `POST /build`, such as `Idempotency-Key`',
    parse: requestHeaderName,
  }),
  BUILD_API_PROXY: setting({
    default: '',
    meaning: 'HTTP proxy on the way to the build API; none is taken from `HTTPS_PROXY` and the like',
    parse: proxy,
  }),
  BUILD_API_TRACE_HEADERS: setting({
    default: 'none',
    meaning:
      'trace headers of a request: `none`, `xray` (`X-Amzn-Trace-Id`) or `w3c` (`traceparent`), where traces are on',
    parse: (value) => oneOf(value, TRACE_HEADERS),
  }),
  BUILD_API_MAX_POLLS_PER_SECOND: setting({
    default: '',
    meaning: 'polls a second of each worker; one that would wait for more than 5 s is put off to its next interval',
    parse: (value) => optional(value, (given) => number(given, 0.01, 100_000)),
  }),
  BUILD_API_MAX_TRIGGERS_PER_SECOND: setting({
    default: '',
    meaning: 'attempts at `POST /build` a second of all workers together; those beyond it wait in Temporal',
    parse: (value) => optional(value, (given) => number(given, 0.01, 100_000)),
  }),
  WORKER_MAX_CONCURRENT_ACTIVITIES: setting({
    default: '100',
    meaning: 'record writes of a worker at a time, and as many POSTs',
    parse: (value) => wholeNumber(value, 1, 10_000),
  }),
  WORKER_MAX_CONCURRENT_POLLS: setting({
    default: '400',
    meaning: 'polls of a worker at a time',
    parse: (value) => wholeNumber(value, 1, 10_000),
  }),
  WORKER_MAX_CACHED_BUILDS: setting({
    default: '',
    meaning: 'builds that a worker keeps in memory between their steps; by default two for each MiB of its heap',
    parse: (value) => optional(value, (given) => wholeNumber(given, 10, 1_000_000)),
  }),
  WORKER_GRPC_COMPRESSION: setting({
    default: 'none',
    meaning:
      'of what a worker and Temporal tell each other: `none`, or `gzip` for a link that is slow or paid by the byte',
    parse: (value) => oneOf(value, ['none', 'gzip']),
  }),
  LOG_LEVEL: setting({ default: 'info', meaning: 'pino level', parse: logLevel }),
  TEMPORAL_DEPLOYMENT_NAME: setting({
    default: '',
    meaning: 'Worker Deployment that the worker is of; with `TEMPORAL_WORKER_BUILD_ID` it runs versioned',
    parse: (value) => optional(value, text),
  }),
  TEMPORAL_WORKER_BUILD_ID: setting({
    default: '',
    meaning: "the worker's version in that deployment, as the Temporal Worker Controller sets it",
    parse: (value) => optional(value, text),
  }),
  HEALTH_ADDRESS: setting({
    default: '127.0.0.1:8080',
    meaning:
      "the worker's `/livez` and `/readyz`; port 0 takes a free one and logs it; 0.0.0.0 is every address, IPv6 too",
    parse: hostPort,
  }),
  METRICS_ADDRESS: setting({
    default: '127.0.0.1:9464',
    meaning: "the worker's `/metrics` for Prometheus; port 0 and 0.0.0.0 as there",
    parse: hostPort,
  }),
  ENCRYPTION_KEYS: setting({
    default: '',
    meaning: 'comma-separated `NAME:KEY` with keys of 32 bytes in Base64; the first encrypts payloads, all decrypt',
    parse: (value) => optional(value, parseLocalKeys),
  }),
  ENCRYPTION_KEYS_FILE: setting({
    default: '',
    meaning: 'file with such keys, one a line, in place of `ENCRYPTION_KEYS`',
    parse: (value) => optional(value, localKeysIn),
  }),
  ENCRYPTION_KMS_KEY_ARNS: setting({
    default: '',
    meaning: 'comma-separated ARNs of AWS KMS keys; the first encrypts payloads, all decrypt, local keys too',
    parse: (value) => optional(value, parseKmsKeyArns),
  }),
  ENCRYPTION_REQUIRED: setting({
    default: 'false',
    meaning: '`true` refuses to read payloads that are not encrypted',
    parse: trueOrFalse,
  }),
  CODEC_SERVER_ADDRESS: setting({
    default: '127.0.0.1:8081',
    meaning: 'where the codec server listens; port 0 and 0.0.0.0 as there',
    parse: hostPort,
  }),
  CODEC_SERVER_ALLOWED_ORIGINS: setting({
    requiredBy: 'codec server',
    meaning: 'comma-separated origins of the Web UIs whose pages may ask the codec server',
    parse: origins,
  }),
  CODEC_SERVER_JWKS_URL: setting({
    default: '',
    meaning: 'keys that bearer tokens are checked against; without it the codec server listens on loopback only',
    parse: (value) => optional(value, jwksUrl),
  }),
  CODEC_SERVER_JWT_ISSUER: setting({
    default: '',
    meaning: 'issuer (`iss`) that a token must have',
    parse: (value) => optional(value, text),
  }),
  CODEC_SERVER_JWT_AUDIENCE: setting({
    default: '',
    meaning: 'audience (`aud`) that a token must have',
    parse: (value) => optional(value, text),
  }),
  CODEC_SERVER_REQUIRED_CLAIM: setting({
    default: '',
    meaning: 'claim that a token must hold, such as `permissions={namespace}:read` or `email=*@example.com`',
    parse: (value) => optional(value, requiredClaim),
  }),
  TEMPORAL_UI_URL: setting({
    default: '',
    meaning: "where Temporal's Web UI is, such as `http://localhost:8233`; the command line links to it",
    parse: webAddress,
  }),
  ...TRACING_SETTINGS,
} as const;

export type SettingName = keyof typeof SETTINGS;

/** Their values are never shown: keys, and an address that may hold a password. */
export const SETTINGS_WITH_SECRETS: ReadonlySet<string> = new Set<SettingName>([
  'ENCRYPTION_KEYS',
  'BUILD_API_PROXY',
  ...TRACING_SECRETS,
]);

/** Values of settings that are required by the worker are `undefined` only for programs that don't need them. */
type Parsed<N extends SettingName> = { [K in N]: ReturnType<(typeof SETTINGS)[K]['parse']> };

/** Some settings are missing or wrong. The message has a line for each. */
export class SettingsError extends Error {
  override name = 'SettingsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `${faults.length === 1 ? 'a setting is' : `${faults.length} settings are`} missing or wrong:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/**
 * Reads the named settings.
 *
 * @throws SettingsError naming every fault
 */
export function readSettings<const N extends SettingName>(env: Environment, names: readonly N[]): Parsed<N> {
  const faults: string[] = [];
  const parsed: Partial<Record<SettingName, unknown>> = {};
  for (const name of names) {
    const { default: fallback, meaning, parse }: Setting<unknown> = SETTINGS[name];
    const given = env[name];
    const value = given === undefined || given === '' ? fallback : given;
    if (value === undefined) {
      faults.push(`${name} is required: ${meaning}`);
      continue;
    }
    try {
      parsed[name] = parse(value);
    } catch (err) {
      faults.push(`${name} ${(err as Error).message}`);
    }
  }
  if (faults.length === 0) {
    const given = parsed as Partial<Parsed<SettingName>>;
    faults.push(...encryptionFaults(given), ...codecServerFaults(given), ...versionFaults(given));
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return parsed as Parsed<N>;
}

function versionFaults(given: Partial<Parsed<SettingName>>): string[] {
  const both = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'] as const;
  const missing = both.filter((name) => name in given && given[name] === undefined);
  return missing.length === 1 ? [`${missing[0]} must be set too: ${both.join(' and ')} go together`] : [];
}

const ENCRYPTION = [
  'ENCRYPTION_KEYS',
  'ENCRYPTION_KEYS_FILE',
  'ENCRYPTION_KMS_KEY_ARNS',
  'ENCRYPTION_REQUIRED',
] as const satisfies SettingName[];

/** OpenTelemetry's are read where they are used. */
const isOfOthers = (name: SettingName) =>
  name.startsWith('CODEC_SERVER_') || name === 'TEMPORAL_UI_URL' || name in TRACING_SETTINGS;

export const WORKER_SETTINGS = (Object.keys(SETTINGS) as SettingName[]).filter((name) => !isOfOthers(name));
export const CLIENT_SETTINGS = [
  'ROLE_BUILD_TASK_QUEUE',
  'STATUS_TABLE',
  'HISTORY_TABLE',
  'TEMPORAL_UI_URL',
  ...ENCRYPTION,
] as const satisfies SettingName[];
export const CODEC_SERVER_SETTINGS = [
  ...ENCRYPTION,
  'CODEC_SERVER_ADDRESS',
  'CODEC_SERVER_ALLOWED_ORIGINS',
  'CODEC_SERVER_JWKS_URL',
  'CODEC_SERVER_JWT_ISSUER',
  'CODEC_SERVER_JWT_AUDIENCE',
  'CODEC_SERVER_REQUIRED_CLAIM',
  'LOG_LEVEL',
] as const satisfies SettingName[];

/** Encryption as the settings have it. */
export function encryptionOf(settings: Parsed<(typeof ENCRYPTION)[number]>): EncryptionSettings {
  const localKeys = settings.ENCRYPTION_KEYS ?? settings.ENCRYPTION_KEYS_FILE;
  const kmsKeyArns = settings.ENCRYPTION_KMS_KEY_ARNS;
  return {
    ...(kmsKeyArns === undefined ? {} : { kmsKeyArns }),
    ...(localKeys === undefined ? {} : { localKeys }),
    required: settings.ENCRYPTION_REQUIRED,
  };
}

/**
 * Encryption as the environment has it, for callers of `startRoleBuild` that share it with the workers.
 *
 * @throws SettingsError naming every fault
 */
export function readEncryptionSettings(env: Environment): EncryptionSettings {
  return encryptionOf(readSettings(env, ENCRYPTION));
}
