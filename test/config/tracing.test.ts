import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSettings, WORKER_SETTINGS } from '../../src/config/settings.ts';
import { readTracing, SAMPLERS, type Tracing } from '../../src/config/tracing.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
const TRACING: Tracing = { url: 'http://127.0.0.1:4318/v1/traces', sampler: 'parentbased_always_on', share: 1 };

function read(env: Record<string, string>): { tracing: Tracing | undefined; warnings: string[] } {
  const warnings: string[] = [];
  return { tracing: readTracing(env, (text) => warnings.push(text)), warnings };
}
const inForce = (env: Record<string, string>) => {
  const { tracing, warnings } = read(env);
  assert.deepEqual(warnings, []);
  return tracing;
};

describe("OpenTelemetry's variables", () => {
  it("OpenTelemetry's variables turn traces on only by an endpoint", () => {
    assert.equal(inForce({}), undefined);
    assert.equal(inForce({ OTEL_TRACES_EXPORTER: 'otlp', OTEL_SERVICE_NAME: 'x' }), undefined);
    assert.equal(inForce({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }), undefined);
    assert.deepEqual(inForce(ENDPOINT), TRACING);
    assert.equal(inForce({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://a/b/' })?.url, 'https://a/b/v1/traces');
    const both = { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/spans?key=x' };
    assert.equal(inForce(both)?.url, 'https://collector/spans?key=x');
  });

  it("OpenTelemetry's variables turn traces off as OpenTelemetry defines it, whatever else is set", () => {
    const others = {
      OTEL_TRACES_SAMPLER: 'jaeger_remote',
      OTEL_TRACES_SAMPLER_ARG: 'x',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'y',
    };
    for (const off of [
      { OTEL_SDK_DISABLED: 'true' },
      { OTEL_SDK_DISABLED: 'TRUE' },
      { OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_TRACES_EXPORTER: 'None' },
      { OTEL_TRACES_EXPORTER: 'otlp, none' },
    ]) {
      assert.equal(inForce({ ...ENDPOINT, ...others, ...off }), undefined);
    }
  });

  it("OpenTelemetry's variables cause no warning while there are no traces", () => {
    const wrong = { OTEL_TRACES_SAMPLER: 'x', OTEL_TRACES_EXPORTER: 'x', OTEL_EXPORTER_OTLP_PROTOCOL: 'x' };
    assert.equal(inForce(wrong), undefined);
  });

  for (const [name, value, why] of [
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', 'must be one of http/protobuf, not "grpc"'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/json', 'must be one of http/protobuf, not "http/json"'],
    ['OTEL_TRACES_EXPORTER', 'zipkin', 'must be one of otlp, none, not "zipkin"'],
    ['OTEL_TRACES_EXPORTER', 'otlp,console', 'must be one of otlp, none, not "console"'],
    ['OTEL_SDK_DISABLED', 'yes', 'must be one of true, false, not "yes"'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', `must be one of ${SAMPLERS.join(', ')}, not "jaeger_remote"`],
  ] as const) {
    it(`OpenTelemetry's variables are ignored with a warning if they are not supported: ${name}=${value}`, () => {
      const { tracing, warnings } = read({ ...ENDPOINT, [name]: value });
      assert.deepEqual(tracing, TRACING);
      assert.deepEqual(warnings, [`${name} is ignored: it ${why}`]);
    });
  }

  it("OpenTelemetry's variables are refused without repeating a malformed address, which may hold a password", () => {
    for (const value of ['collector:4318', 'ftp://user:secret@collector', 'http://user:secret@[collector']) {
      const { tracing, warnings } = read({ OTEL_EXPORTER_OTLP_ENDPOINT: value });
      assert.equal(tracing, undefined);
      assert.deepEqual(warnings, [
        'OTEL_EXPORTER_OTLP_ENDPOINT is ignored: it must be a URL such as http://localhost:4318',
      ]);
    }
    const { tracing, warnings } = read({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'nonsense' });
    assert.deepEqual(tracing, TRACING);
    assert.equal(warnings.length, 1);
  });

  it("OpenTelemetry's variables know the specification's samplers, in capitals too, and their argument if they have one", () => {
    for (const sampler of SAMPLERS) {
      assert.equal(inForce({ ...ENDPOINT, OTEL_TRACES_SAMPLER: sampler.toUpperCase() })?.sampler, sampler);
    }
    const ratio = { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' };
    assert.equal(inForce({ ...ratio, OTEL_TRACES_SAMPLER_ARG: '0.25' })?.share, 0.25);
    const { tracing, warnings } = read({ ...ratio, OTEL_TRACES_SAMPLER_ARG: '2' });
    assert.equal(tracing?.share, 1);
    assert.deepEqual(warnings, ['OTEL_TRACES_SAMPLER_ARG is ignored: it must be a number from 0 to 1, not "2"']);
    assert.deepEqual(inForce({ ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: 'endpoint=http://x' }), TRACING);
  });
});

it('BUILD_API_TRACE_HEADERS is off by default', () => {
  const required = { API_ALB_FQDN: 'alb', BUILD_API_ALLOWED_ORIGINS: 'https://builds.example.com' };
  const of = (value: string) =>
    readSettings({ ...required, BUILD_API_TRACE_HEADERS: value }, WORKER_SETTINGS).BUILD_API_TRACE_HEADERS;
  assert.deepEqual(['', 'none', 'xray', 'w3c'].map(of), ['none', 'none', 'xray', 'w3c']);
  assert.throws(() => of('b3'), /BUILD_API_TRACE_HEADERS must be one of none, xray, w3c, not "b3"/);
});
