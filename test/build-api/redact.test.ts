import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { redactor } from '../../src/build-api/redact.ts';
import { canariesIn, CANARY, ECHOES } from '../support/canary.ts';

const printableAscii = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 16,
  maxLength: 200,
});

describe('a credential is taken out of text', () => {
  for (const [how, echo] of Object.entries(ECHOES)) {
    test(how, () => {
      const shown = redactor(CANARY)(`before ${echo} and ${echo}, after`);
      assert.deepEqual(canariesIn(shown), []);
      assert.match(shown, /^before \S{0,12}\[redacted\]\S{0,12} and \S{0,12}\[redacted\]\S{0,12}, after$/);
    });
  }

  test('and the search that these tests use finds each of these', () => {
    for (const [how, echo] of Object.entries(ECHOES)) assert.notDeepEqual(canariesIn(`before ${echo} after`), [], how);
    assert.deepEqual(canariesIn('before and after'), []);
  });

  test('whatever its characters are, as it is, in JSON, percent-encoded and in HTML', () => {
    fc.assert(
      fc.property(printableAscii, (credential) => {
        const redact = redactor(credential);
        for (const echo of [
          credential,
          JSON.stringify(credential).slice(1, -1),
          encodeURIComponent(credential),
          Array.from(credential)
            .map((c) => `&#${c.charCodeAt(0)};`)
            .join(''),
        ]) {
          assert.equal(redact(`«${echo}»`), '«[redacted]»');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('where it is short, as a whole only', () => {
    assert.equal(redactor('abc')('xabcx ab bc'), 'x[redacted]x ab bc');
  });

  test('and all else stays as it is', () => {
    const redact = redactor('ciphertext-0123456789');
    for (const text of ['', 'ciphertext', '%41&amp;\\u0041', '0123456789', 'ü😀\ud800', '<html>50% off</html>']) {
      assert.equal(redact(text), text);
    }
  });

  test('in a time that no hostile answer can stretch', () => {
    const redact = redactor('c'.repeat(100_000));
    const startedAt = process.cpuUsage();
    for (const piece of ['ccccc%41', '\\u0025\\\\u', '&#37;&amp;', '%25%5c', 'c']) {
      redact(piece.repeat(65_536 / piece.length));
    }
    const { user } = process.cpuUsage(startedAt);
    assert.ok(user < 5_000_000, `${user / 1e6} s`);
  });
});
