import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withoutSecrets } from '../../../src/cli/terminal/secrets.ts';

describe("an unexpected error's text", () => {
  for (const [name, value, secret] of [
    ['ENCRYPTED_JWT', 'canary-value-1', 'canary-value-1'],
    ['ENCRYPTION_KEYS', 'old:canary-key-1,new:canary-key-2', 'canary-key-2'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x-team=iam,x-api-key=canary-value-2', 'canary-value-2'],
    ['TEMPORAL_GRPC_META_AUTHORIZATION', 'Bearer canary-value-3', 'Bearer canary-value-3'],
  ] as const) {
    it(`an unexpected error's text shows no value of ${name}, alone or after its name`, () => {
      const shown = withoutSecrets(`before ${secret} and ${value} after`, { [name]: value }, []);
      assert.doesNotMatch(shown, /canary/);
      assert.match(shown, /^before \[redacted\] .*after$/);
    });
  }

  for (const password of ['canary', 'p@canary', 'p/canary', 'p?canary@', 'p@canary/@']) {
    it(`an unexpected error's text shows no password of an address: ${password}`, () => {
      const text = `at file:///srv/node_modules/@scope/a.js: http://user:${password}@collector:4318/v1 is away`;
      const expected = 'at file:///srv/node_modules/@scope/a.js: http://[redacted]@collector:4318/v1 is away';
      assert.equal(withoutSecrets(text, {}, []), expected);
    });
  }

  it("an unexpected error's text shows no credential from a file", () => {
    assert.equal(withoutSecrets('it is canary-1!', {}, ['canary-1']), 'it is [redacted]!');
  });
});
