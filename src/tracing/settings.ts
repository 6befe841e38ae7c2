/**
 * OpenTelemetry's own variables, as far as they are read here: whether there are traces, where they go, which are kept. What
 * else its OTLP exporter and its resource read (time-outs, compression, certificates, resource attributes), they read themselves.
 *
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { number, oneOf, optional, setting, text, webAddress } from '../setting-values.ts';

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

const EXPORTERS = ['otlp', 'none'] as const;
/** Of OTLP's three; the others would each be one more package. */
const PROTOCOLS = ['http/protobuf'] as const;

const protocol = (value: string) => optional(value, (given) => oneOf(given, PROTOCOLS));

export const TRACING_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: setting({
    default: '',
    meaning: 'where traces go by OTLP, such as `http://localhost:4318`; with neither endpoint set there are none',
    parse: webAddress,
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: setting({
    default: '',
    meaning: 'the same as a whole URL, `/v1/traces` included; outranks the one before',
    parse: webAddress,
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: setting({
    default: '',
    meaning: '`http/protobuf`, the only one there is here',
    parse: protocol,
  }),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: setting({
    default: '',
    meaning: 'likewise',
    parse: protocol,
  }),
  OTEL_EXPORTER_OTLP_HEADERS: setting({
    default: '',
    meaning: 'comma-separated `NAME=VALUE` headers for the collector, such as a key',
    parse: (value) => value !== '',
  }),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: setting({
    default: '',
    meaning: 'likewise; outranks the one before, name by name',
    parse: (value) => value !== '',
  }),
  OTEL_TRACES_EXPORTER: setting({
    default: 'otlp',
    meaning: '`none` turns traces off',
    parse: (value) => oneOf(value, EXPORTERS),
  }),
  OTEL_SDK_DISABLED: setting({
    default: 'false',
    meaning: '`true` turns traces off',
    // Whatever else it is means false, as the specification has it.
    parse: (value) => value.toLowerCase() === 'true',
  }),
  OTEL_SERVICE_NAME: setting({
    default: '',
    meaning: 'name of a program in traces, else `iam-orchestrator` for the worker, `role-build` for the command line',
    parse: (value) => optional(value, text),
  }),
  OTEL_TRACES_SAMPLER: setting({
    default: 'parentbased_always_on',
    meaning: "which traces are kept, by OpenTelemetry's names, such as `parentbased_traceidratio`",
    parse: (value) => oneOf(value, SAMPLERS),
  }),
  OTEL_TRACES_SAMPLER_ARG: setting({
    default: '1',
    meaning: 'the share of traces that the `traceidratio` samplers keep, 0 to 1',
    parse: (value) => number(value, 0, 1),
  }),
} as const;

export type TracingSettingName = keyof typeof TRACING_SETTINGS;
export type TracingSettings = {
  [K in TracingSettingName]: ReturnType<(typeof TRACING_SETTINGS)[K]['parse']>;
};

/** They may hold a key. */
export const TRACING_SECRETS = [
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
] as const satisfies TracingSettingName[];

/** Whether there are traces at all. Until then nothing of OpenTelemetry is loaded. */
export function isTracing(settings: TracingSettings): boolean {
  if (settings.OTEL_SDK_DISABLED || settings.OTEL_TRACES_EXPORTER === 'none') return false;
  return (
    settings.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined || settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined
  );
}
