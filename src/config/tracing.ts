/**
 * OpenTelemetry's own variables, as far as they are read here: whether there are traces, where they go, which are kept. What
 * else its OTLP exporter and its resource read (time-outs, compression, certificates, resource attributes), they read themselves.
 * They are other programs' variables too, so a value that is not known here is warned of and ignored.
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

/** Of OTLP's three; the others would each be one more package. */
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
  /** Where spans go. */
  url: string;
  sampler: SamplerName;
  /** The share of traces that the `traceidratio` samplers keep. */
  share: number;
}

/**
 * @param warn called with each variable whose value is not known here and so is ignored
 * @returns `undefined` if there are no traces. Until then nothing of OpenTelemetry is loaded
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
  // Nobody wants traces, so whatever else is set is of other programs.
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT'] && !env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) return undefined;
  if (read('OTEL_SDK_DISABLED') === 'true' || read('OTEL_TRACES_EXPORTER') === 'none') return undefined;
  const url = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? tracesBelow(read('OTEL_EXPORTER_OTLP_ENDPOINT'));
  if (url === undefined) return undefined;
  // There is one protocol; a user who wants another has to know.
  read(
    env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL' : 'OTEL_EXPORTER_OTLP_PROTOCOL',
  );
  const sampler = read('OTEL_TRACES_SAMPLER');
  // The argument of another sampler is none of this one's.
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

/** One or several, with commas between. */
function exporter(value: string): 'otlp' | 'none' {
  const names = value.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('none')) return 'none';
  for (const name of names) oneOf(['otlp', 'none']).parse(name);
  return 'otlp';
}

/** OpenTelemetry's names are the same in capitals. */
function known<const T extends string>(names: readonly T[]) {
  const { parse } = oneOf(names);
  return { values: names, parse: (value: string) => parse(value.trim().toLowerCase()) };
}
