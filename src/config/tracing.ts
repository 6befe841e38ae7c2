/**
 * The variables of OpenTelemetry that are read here: whether traces are on, where they go, and which are kept. The OTLP
 * exporter and the resource read the others themselves (time-outs, compression, certificates, resource attributes).
 * Other programs use the same variables, so an unknown value is ignored with a warning.
 *
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { numberFrom, oneOf, optional, setting, type Environment, type Parsed } from './values.ts';

/** The trace headers that the build API may be sent. */
export const TRACE_HEADERS = ['none', 'xray', 'w3c'] as const;
export type TraceHeaders = (typeof TRACE_HEADERS)[number];

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** One of OTLP's three protocols; each of the others would need one more package. */
const PROTOCOLS = ['http/protobuf'] as const;

export const TRACING_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(endpoint, {
    meaning: 'base URL of the OTLP collector; without this and the next there are no traces',
    example: 'http://localhost:4318',
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(endpoint, {
    meaning: 'the same as a full URL; takes precedence over the variable before',
    example: 'http://localhost:4318/v1/traces',
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: setting(known(PROTOCOLS), {
    default: 'http/protobuf',
    meaning: 'protocol of traces',
    example: 'http/protobuf',
  }),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: setting(known(PROTOCOLS), {
    default: 'http/protobuf',
    meaning: 'the same; takes precedence over the variable before',
    example: 'http/protobuf',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: setting((value) => value, {
    default: '',
    meaning: 'comma-separated `NAME=VALUE` headers for the collector, such as a key',
    secret: true,
    example: 'x-api-key=example',
  }),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: setting((value) => value, {
    default: '',
    meaning: 'the same; takes precedence over the variable before, header by header',
    secret: true,
    example: 'x-api-key=example',
  }),
  OTEL_TRACES_EXPORTER: setting(exporter, {
    default: 'otlp',
    meaning: '`none` turns traces off',
    example: 'none',
    values: ['otlp', 'none'],
  }),
  OTEL_SDK_DISABLED: setting(known(['true', 'false']), {
    default: 'false',
    meaning: '`true` turns traces off',
    example: 'true',
  }),
  OTEL_SERVICE_NAME: setting((value) => value, {
    default: '',
    meaning: 'name of the program in traces, else `iam-orchestrator` for the worker, `role-build` for the command line',
    example: 'role-builds-eu',
  }),
  OTEL_TRACES_SAMPLER: setting(known(SAMPLERS), {
    default: 'parentbased_always_on',
    meaning: 'which traces are recorded',
    example: 'parentbased_traceidratio',
  }),
  OTEL_TRACES_SAMPLER_ARG: setting(numberFrom(0, 1), {
    default: '1',
    meaning: 'the share of traces that the `traceidratio` samplers record',
    example: '0.1',
    unit: 'of all traces',
  }),
} as const;

type Values = Parsed<typeof TRACING_SETTINGS>;

export interface Tracing {
  /** The URL to which spans are sent. */
  url: string;
  sampler: SamplerName;
  /** The share of traces that the `traceidratio` samplers keep. */
  share: number;
}

/**
 * @param warn called for each variable with an unknown value, which is ignored
 * @returns `undefined` if traces are off; nothing of OpenTelemetry is loaded then
 */
export function readTracing(env: Environment, warn: (text: string) => void): Tracing | undefined {
  const read = <N extends keyof Values>(name: N): Values[N] => {
    const { default: fallback = '', parse } = TRACING_SETTINGS[name];
    const given = env[name]?.trim() || fallback;
    try {
      return parse(given) as Values[N];
    } catch (err) {
      warn(`${name} is ignored: it ${(err as Error).message}`);
      return parse(fallback) as Values[N];
    }
  };
  // Traces are off, so the other variables are meant for other programs: no warnings about them.
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT'] && !env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) return undefined;
  if (read('OTEL_SDK_DISABLED') === 'true' || read('OTEL_TRACES_EXPORTER') === 'none') return undefined;
  const url = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? tracesBelow(read('OTEL_EXPORTER_OTLP_ENDPOINT'));
  if (url === undefined) return undefined;
  // Only to warn: just one protocol is supported, and a user who sets another has to know.
  read(
    env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL' : 'OTEL_EXPORTER_OTLP_PROTOCOL',
  );
  const sampler = read('OTEL_TRACES_SAMPLER');
  // Other samplers have an argument of another kind, or none.
  return { url: url.href, sampler, share: sampler.endsWith('traceidratio') ? read('OTEL_TRACES_SAMPLER_ARG') : 1 };
}

function tracesBelow(base: URL | undefined): URL | undefined {
  if (base === undefined) return undefined;
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url;
}

/** @throws Error that does not repeat the value, which may hold a password */
function endpoint(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Error('must be a URL such as http://localhost:4318');
  }
  return url;
}

/** Reads one exporter or several, separated by commas. */
function exporter(value: string): 'otlp' | 'none' {
  const names = value.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('none')) return 'none';
  for (const name of names) oneOf(['otlp', 'none']).parse(name);
  return 'otlp';
}

/** OpenTelemetry's names are case-insensitive. */
function known<const T extends string>(names: readonly T[]) {
  const { parse } = oneOf(names);
  return { values: names, parse: (value: string) => parse(value.trim().toLowerCase()) };
}
