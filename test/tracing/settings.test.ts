import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLIENT_SETTINGS, readSettings, SettingsError, WORKER_SETTINGS } from '../../src/config.ts';
import { isTracing, SAMPLERS } from '../../src/tracing/settings.ts';

const read = (env: Record<string, string>) => readSettings(env, CLIENT_SETTINGS);
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

describe("OpenTelemetry's settings", () => {
  it('turn traces on by an endpoint, and by nothing else', () => {
    assert.equal(isTracing(read({})), false);
    assert.equal(isTracing(read({ OTEL_TRACES_EXPORTER: 'otlp', OTEL_SERVICE_NAME: 'x' })), false);
    assert.equal(isTracing(read(ENDPOINT)), true);
    assert.equal(isTracing(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces' })), true);
  });

  it('turn them off again as OpenTelemetry has it', () => {
    for (const off of [
      { OTEL_SDK_DISABLED: 'true' },
      { OTEL_SDK_DISABLED: 'TRUE' },
      { OTEL_TRACES_EXPORTER: 'none' },
    ]) {
      assert.equal(isTracing(read({ ...ENDPOINT, ...off })), false);
    }
    assert.equal(isTracing(read({ ...ENDPOINT, OTEL_SDK_DISABLED: 'yes' })), true);
  });

  it('are refused where they ask for what is not there, by name, without what may be secret', () => {
    const wrong = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:secret@collector',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      OTEL_TRACES_EXPORTER: 'zipkin',
      OTEL_TRACES_SAMPLER: 'jaeger_remote',
      OTEL_TRACES_SAMPLER_ARG: '2',
    };
    assert.throws(
      () => read(wrong),
      (err: unknown) => {
        assert.ok(err instanceof SettingsError);
        assert.deepEqual(
          err.faults.map((fault) => fault.split(' ')[0]),
          Object.keys(wrong),
        );
        assert.match(err.message, /OTEL_EXPORTER_OTLP_PROTOCOL must be one of http\/protobuf, not "grpc"/);
        return !err.message.includes('secret');
      },
    );
  });

  it("know the specification's samplers", () => {
    for (const OTEL_TRACES_SAMPLER of SAMPLERS) {
      assert.equal(read({ OTEL_TRACES_SAMPLER }).OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER);
    }
    assert.equal(read({}).OTEL_TRACES_SAMPLER, 'parentbased_always_on');
  });
});

it('BUILD_API_TRACE_HEADERS is none unless it is said', () => {
  const required = { API_ALB_FQDN: 'alb', BUILD_API_ALLOWED_ORIGINS: 'https://builds.example.com' };
  const of = (value: string) =>
    readSettings({ ...required, BUILD_API_TRACE_HEADERS: value }, WORKER_SETTINGS).BUILD_API_TRACE_HEADERS;
  assert.deepEqual(['', 'none', 'xray', 'w3c'].map(of), ['none', 'none', 'xray', 'w3c']);
  assert.throws(() => of('b3'), /BUILD_API_TRACE_HEADERS must be one of none, xray, w3c, not "b3"/);
});
