/**
 * Defines every setting of this project. All settings are parsed at the start, and all faults are reported together.
 * Temporal's own variables go through `@temporalio/envconfig`, AWS's own through the AWS SDK.
 */
import { codecServerFaults, CODEC_SETTINGS } from './codec-server.ts';
import { DEFAULT_TASK_QUEUE } from '../contract.ts';
import { directoryFaults, DIRECTORY_SETTINGS, hasDirectory, type DirectorySettings } from './directory.ts';
import { encryptionFaults, ENCRYPTION_SETTINGS, type EncryptionSettings } from './encryption.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../records/names.ts';
import {
  headerText,
  hostPort,
  LOG_LEVELS,
  numberFrom,
  oneOf,
  optional,
  origins,
  proxy,
  requestHeaderName,
  setting,
  text,
  webAddress,
  wholeNumberFrom,
  type Environment,
  type Parsed,
  type Setting,
} from './values.ts';
import { TRACE_HEADERS, TRACING_SETTINGS } from './tracing.ts';

export { LOG_LEVELS, type Environment, type Setting } from './values.ts';

export const SETTINGS = {
  ROLE_BUILD_TASK_QUEUE: setting(text, {
    default: DEFAULT_TASK_QUEUE,
    meaning: 'task queue of the builds; workers and callers must have the same',
    example: 'role-builds-test',
  }),
  STATUS_TABLE: setting(text, {
    default: STATUS_TABLE_NAME,
    meaning: 'DynamoDB table of status records',
    example: 'role_build_status',
  }),
  HISTORY_TABLE: setting(text, {
    default: HISTORY_TABLE_NAME,
    meaning: 'DynamoDB table of history records',
    example: 'role_build_history',
  }),
  API_ALB_FQDN: setting(headerText, {
    requiredBy: 'worker',
    meaning: 'used unchanged in the header `Referer: {value}/proxy`',
    example: 'internal-builds.example.com',
  }),
  BUILD_API_ALLOWED_ORIGINS: setting(origins, {
    requiredBy: 'worker',
    meaning: 'comma-separated origins that `url` may have; a build with another is refused before anything is written',
    example: 'https://builds.example.com,https://builds.eu.example.com',
  }),
  BUILD_API_TIMEOUT_SECONDS: setting(numberFrom(1, 60), {
    default: '30',
    meaning: 'limit of a whole request, connect to last byte',
    example: '10',
    unit: 'seconds',
  }),
  BUILD_API_IDEMPOTENCY_HEADER: optional(requestHeaderName, {
    meaning: 'one more header of `POST /build`, which carries the request ID',
    example: 'Idempotency-Key',
  }),
  BUILD_API_PROXY: optional(proxy, {
    meaning: 'HTTP proxy to the build API; `HTTPS_PROXY` and the like are not read',
    secret: true,
    example: 'http://proxy.example.com:3128',
  }),
  BUILD_API_TRACE_HEADERS: setting(oneOf(TRACE_HEADERS), {
    default: 'none',
    meaning: 'trace header of a request, if traces are on: `X-Amzn-Trace-Id` (`xray`) or `traceparent` (`w3c`)',
    example: 'xray',
  }),
  BUILD_API_MAX_POLLS_PER_SECOND: optional(numberFrom(0.01, 100_000), {
    meaning: 'limit for each worker; a poll that would wait for more than 5 s is deferred to its next interval',
    example: '50',
    unit: 'polls a second',
  }),
  BUILD_API_MAX_TRIGGERS_PER_SECOND: optional(numberFrom(0.01, 100_000), {
    meaning: 'limit for all workers together; an attempt at `POST /build` beyond it waits in Temporal',
    example: '2',
    unit: 'POSTs a second',
  }),
  WORKER_MAX_CONCURRENT_ACTIVITIES: setting(wholeNumberFrom(1, 10_000), {
    default: '100',
    meaning: 'most record writes, and most POSTs, that a worker makes at a time',
    example: '200',
    unit: 'activities',
  }),
  WORKER_MAX_CONCURRENT_POLLS: setting(wholeNumberFrom(1, 10_000), {
    default: '400',
    meaning: 'most polls that a worker makes at a time',
    example: '800',
    unit: 'polls',
  }),
  WORKER_MAX_CACHED_BUILDS: optional(wholeNumberFrom(10, 1_000_000), {
    meaning: 'builds that a worker caches between their steps; by default two for each MiB of its heap',
    example: '2000',
    unit: 'builds',
  }),
  WORKER_GRPC_COMPRESSION: setting(oneOf(['none', 'gzip']), {
    default: 'none',
    meaning: 'compression between a worker and Temporal; `gzip` is for a link that is slow or paid by the byte',
    example: 'gzip',
  }),
  LOG_LEVEL: setting(oneOf(LOG_LEVELS), {
    default: 'info',
    meaning: 'log level, as pino names it',
    example: 'debug',
  }),
  TEMPORAL_DEPLOYMENT_NAME: optional(text, {
    meaning: 'Worker Deployment of the worker; with `TEMPORAL_WORKER_BUILD_ID` it runs versioned',
    example: 'iam-orchestrator/worker',
  }),
  TEMPORAL_WORKER_BUILD_ID: optional(text, {
    meaning: "the worker's version in that deployment; the Temporal Worker Controller sets both",
    example: 'v42',
  }),
  HEALTH_ADDRESS: setting(hostPort, {
    default: '127.0.0.1:8080',
    meaning:
      "address of the worker's `/livez` and `/readyz`; port 0 takes a free one and logs it; host 0.0.0.0 is every address, IPv6 too",
    example: '0.0.0.0:8080',
  }),
  METRICS_ADDRESS: setting(hostPort, {
    default: '127.0.0.1:9464',
    meaning: "address of the worker's `/metrics` for Prometheus; port 0 and host 0.0.0.0 as in `HEALTH_ADDRESS`",
    example: '0.0.0.0:9464',
  }),
  ...ENCRYPTION_SETTINGS,
  ...CODEC_SETTINGS,
  TEMPORAL_UI_URL: optional(webAddress, {
    meaning: "address of Temporal's Web UI, to which the command line links",
    example: 'http://localhost:8233',
  }),
  ...DIRECTORY_SETTINGS,
  ...TRACING_SETTINGS,
} as const;

export type SettingName = keyof typeof SETTINGS;

type Values<N extends SettingName> = Pick<Parsed<typeof SETTINGS>, N>;

/** Some settings are missing or wrong. The message has one line for each. */
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

/** @throws SettingsError naming every fault */
export function readSettings<const N extends SettingName>(env: Environment, names: readonly N[]): Values<N> {
  const faults: string[] = [];
  const parsed: Partial<Record<SettingName, unknown>> = {};
  const wrong: string[] = [];
  for (const name of names) {
    const { default: fallback, meaning, parse }: Setting<unknown> = SETTINGS[name];
    try {
      const value = env[name] || fallback;
      if (value === undefined) throw new Error(`is required: ${meaning}`);
      parsed[name] = parse(value);
    } catch (err) {
      faults.push(`${name} ${(err as Error).message}`);
      wrong.push(name);
    }
  }
  faults.push(...jointFaults(parsed as Partial<Values<SettingName>>, wrong));
  if (faults.length > 0) throw new SettingsError(faults);
  return parsed as Values<N>;
}

/** Reads two groups of settings, and reports the faults of both together. @throws SettingsError */
export function readBoth<A, B>(first: () => A, second: () => B): [A, B] {
  const faults: string[] = [];
  const read = (one: () => unknown) => {
    try {
      return one();
    } catch (err) {
      if (!(err instanceof SettingsError)) throw err;
      return void faults.push(...err.faults);
    }
  };
  const both = [read(first), read(second)];
  if (faults.length > 0) throw new SettingsError(faults);
  return both as [A, B];
}

/** Finds settings that are valid alone, but not together. Skipped if a setting of the family is itself wrong. */
const JOINT_FAULTS: readonly (readonly [family: RegExp, (given: Partial<Values<SettingName>>) => string[]])[] = [
  [/^ENCRYPTION_/, encryptionFaults],
  [/^(CODEC_SERVER|ENCRYPTION)_/, codecServerFaults],
  [/^TEMPORAL_/, versionFaults],
  [/^DIRECTORY_/, directoryFaults],
];

/** @param given settings as read; absent if the program doesn't read them @param wrong the names of invalid settings */
export function jointFaults(given: Partial<Values<SettingName>>, wrong: readonly string[]): string[] {
  return JOINT_FAULTS.flatMap(([family, faultsOf]) => (wrong.some((name) => family.test(name)) ? [] : faultsOf(given)));
}

function versionFaults(given: Partial<Values<SettingName>>): string[] {
  const both = ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'] as const;
  const missing = both.filter((name) => name in given && given[name] === undefined);
  return missing.length === 1 ? [`${missing[0]} must be set too: ${both.join(' and ')} go together`] : [];
}

const namesOf = <S extends object>(settings: S) => Object.keys(settings) as (keyof S)[];
const ENCRYPTION = namesOf(ENCRYPTION_SETTINGS);
/** Settings that are not the worker's. OpenTelemetry's are read where they are used. */
const OF_OTHERS = { ...CODEC_SETTINGS, ...TRACING_SETTINGS, TEMPORAL_UI_URL: true };

export const WORKER_SETTINGS = namesOf(SETTINGS).filter((name) => !(name in OF_OTHERS));
export const CLIENT_SETTINGS = [
  'ROLE_BUILD_TASK_QUEUE',
  'STATUS_TABLE',
  'HISTORY_TABLE',
  'TEMPORAL_UI_URL',
  ...ENCRYPTION,
] as const satisfies SettingName[];
export const CODEC_SERVER_SETTINGS = [...ENCRYPTION, ...namesOf(CODEC_SETTINGS), 'LOG_LEVEL'] as const;

export function encryptionOf(settings: Parsed<typeof ENCRYPTION_SETTINGS>): EncryptionSettings {
  const localKeys = settings.ENCRYPTION_KEYS ?? settings.ENCRYPTION_KEYS_FILE;
  const kmsKeyArns = settings.ENCRYPTION_KMS_KEY_ARNS;
  return { ...(kmsKeyArns && { kmsKeyArns }), ...(localKeys && { localKeys }), required: settings.ENCRYPTION_REQUIRED };
}

/**
 * Reads the encryption settings, for callers of `startRoleBuild` that share keys with the workers.
 *
 * @throws SettingsError naming every fault
 */
export function readEncryptionSettings(env: Environment): EncryptionSettings {
  return encryptionOf(readSettings(env, ENCRYPTION));
}

/** @returns `undefined` if no directory is configured @throws SettingsError naming every fault */
export function readDirectorySettings(env: Environment): DirectorySettings | undefined {
  const given = readSettings(env, namesOf(DIRECTORY_SETTINGS));
  return hasDirectory(given) ? given : undefined;
}
