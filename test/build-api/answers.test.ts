import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ContractBreach, parseStatusAnswer, parseTriggerAnswer } from '../../src/build-api/answers.ts';
import { redactor } from '../../src/build-api/redact.ts';
import { checkBuildStatus } from '../../src/domain/build-status.ts';
import { anyCharacter } from '../support/hostile-inputs.ts';

const asIs = redactor('a credential that is in no answer');

describe('an answer to POST /build: its build_id', () => {
  for (const [body, build_id] of [
    ['{"build_id":"b-1"}', 'b-1'],
    ['{"build_id":"a/b ?#%2e","more":[1]}', 'a/b ?#%2e'],
    ['{"build_id":"..."}', '...'],
    ['{"build_id":"ü😀"}', 'ü😀'],
    ['{"build_id":7}', '7'],
    ['{"build_id":0}', '0'],
    ['{"build_id":-1}', '-1'],
    ['{"build_id":9007199254740991}', '9007199254740991'],
    ['{"build_id":1e3}', '1000'],
    [' {"build_id" : "b"}\n', 'b'],
  ] as const) {
    it(`an answer to POST /build: its build_id is "${build_id}" if it is ${body}`, () =>
      assert.deepEqual(parseTriggerAnswer(body), { build_id }));
  }

  for (const [body, message] of [
    ['', /not JSON/],
    ['<html>', /not JSON/],
    ['{"build_id":"b"', /not JSON/],
    ['null', /not a JSON object/],
    ['"b"', /not a JSON object/],
    ['7', /not a JSON object/],
    ['[{"build_id":"b"}]', /not a JSON object/],
    ['{}', /no build_id/],
    ['{"id":"b"}', /no build_id/],
    ['{"__proto__":{"build_id":"b"}}', /no build_id/],
    ['{"build_id":null}', /no build_id/],
    ['{"build_id":true}', /no build_id/],
    ['{"build_id":{"a":1}}', /no build_id/],
    ['{"build_id":["b"]}', /no build_id/],
    ['{"build_id":""}', /empty/],
    ['{"build_id":"."}', /no path segment/],
    ['{"build_id":".."}', /no path segment/],
    ['{"build_id":1.5}', /not a safe integer/],
    ['{"build_id":9007199254740993}', /not a safe integer/],
    ['{"build_id":1e400}', /not a safe integer/],
    ['{"build_id":"a\\ud800"}', /not well-formed/],
  ] as const) {
    it(`an answer to POST /build: its build_id breaks the contract if it is ${body || 'empty'}`, () => {
      assert.throws(
        () => parseTriggerAnswer(body),
        (err) => err instanceof ContractBreach && message.test(err.message),
      );
    });
  }

  it('an answer to POST /build: its build_id breaks the contract if it is longer than a record can hold', () => {
    // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
    assert.throws(() => parseTriggerAnswer(JSON.stringify({ build_id: 'x'.repeat(400 * 1024) })), ContractBreach);
  });
});

describe('an answer to GET /build/{build_id}', () => {
  for (const [body, can_retry, build_status] of [
    ['{"can_retry":true,"build_status":"IN_PROGRESS"}', true, 'IN_PROGRESS'],
    ['{"can_retry":true,"build_status":"SUCCEEDED"}', true, 'SUCCEEDED'],
    ['{"can_retry":true}', true, null],
    ['{"can_retry":false,"build_status":"SUCCEEDED"}', false, 'SUCCEEDED'],
    ['{"build_status":"SUCCEEDED"}', false, 'SUCCEEDED'],
  ] as const) {
    it(`an answer to GET /build/{build_id} says only whether to go on if it is ${body}`, () => {
      assert.deepEqual(parseStatusAnswer(body, asIs), { can_retry, build_status });
    });
  }

  for (const [body, build_status] of [
    ['{"can_retry":"true","build_status":"IN_PROGRESS"}', 'IN_PROGRESS'],
    ['{"can_retry":1}', null],
    ['{"can_retry":null,"build_status":"FAILED"}', 'FAILED'],
    ['{"build_status":"succeeded"}', 'succeeded'],
    ['{"build_status":"SUCCEEDED "}', 'SUCCEEDED '],
    ['{"build_status":["SUCCEEDED"]}', null],
    ['{"build_status":7}', null],
    ['{"build_status":""}', ''],
    ['{"__proto__":{"can_retry":true}}', null],
    ['{}', null],
  ] as const) {
    it(`an answer to GET /build/{build_id} says that the build failed, and is kept whole, if it is ${body}`, () => {
      assert.deepEqual(parseStatusAnswer(body, asIs), { can_retry: false, build_status, answer: body });
    });
  }

  for (const body of ['', 'OK', 'null', '[]', '"SUCCEEDED"', 'true']) {
    it(`an answer to GET /build/{build_id} breaks the contract if it is ${body || 'empty'}`, () => {
      assert.throws(() => parseStatusAnswer(body, asIs), ContractBreach);
    });
  }

  it('an answer to GET /build/{build_id} says SUCCEEDED also if the credential is a part of that word', () => {
    const body = '{"can_retry":false,"build_status":"SUCCEEDED"}';
    assert.equal(checkBuildStatus(parseStatusAnswer(body, redactor('CC'))), 'succeeded');
  });

  it('an answer to GET /build/{build_id} is kept without the credential, wherever the API has echoed it', () => {
    const redact = redactor('ciphertext');
    const body = JSON.stringify({
      build_status: 'no ciphertext',
      message: 'ciphertext',
      more: { ciphertext: ['ciphertext'] },
    });
    const { build_status, answer } = parseStatusAnswer(body, redact);
    assert.equal(build_status, 'no [redacted]');
    assert.equal(answer, body.replaceAll('ciphertext', '[redacted]'));
    assert.equal(
      parseStatusAnswer('{"can_retry":true,"build_status":"ciphertext"}', redact).build_status,
      '[redacted]',
    );
  });

  it('an answer to GET /build/{build_id} is kept without any of the credential if it is cut to fit', () => {
    const credential = 'c'.repeat(2_000);
    const redact = redactor(credential);
    for (const length of [30_000, 31_000, 31_900, 31_990]) {
      const { answer } = parseStatusAnswer(JSON.stringify({ m: 'x'.repeat(length) + credential }), redact);
      assert.doesNotMatch(answer ?? '', /cc/);
    }
  });

  it('an answer to GET /build/{build_id} is cut to fit into a Cause, and its status to 256 characters', () => {
    const { build_status, answer } = parseStatusAnswer(JSON.stringify({ build_status: 's'.repeat(1e5) }), asIs);
    assert.equal(build_status, `${'s'.repeat(255)}…`);
    assert.equal(answer?.length, 32_000);
  });

  it('an answer to GET /build/{build_id} is kept, however deep it is', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const { answer } = parseStatusAnswer(`{"build_status":"FAILED","more":${deep}}`, asIs);
    assert.equal(answer?.length, 32_000);
  });
});

it('whatever an answer is, it is understood or breaks the contract', () => {
  const body = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.json(),
    fc
      .record(
        { build_id: fc.jsonValue(), can_retry: fc.jsonValue(), build_status: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((answer) => JSON.stringify(answer)),
  );
  fc.assert(
    fc.property(body, (text) => {
      for (const parse of [parseTriggerAnswer, (one: string) => parseStatusAnswer(one, asIs)]) {
        try {
          parse(text);
        } catch (err) {
          assert.ok(err instanceof ContractBreach, String(err));
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
