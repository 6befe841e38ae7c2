import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
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
    it(`a credential is taken out of text ${how}`, () => {
      const shown = redactor(CANARY)(`before ${echo} and ${echo}, after`);
      assert.deepEqual(canariesIn(shown), []);
      assert.match(shown, /^before \S{0,12}\[redacted\]\S{0,12} and \S{0,12}\[redacted\]\S{0,12}, after$/);
    });
  }

  it('the search that these tests use finds a credential in each of its forms', () => {
    for (const [how, echo] of Object.entries(ECHOES)) assert.notDeepEqual(canariesIn(`before ${echo} after`), [], how);
    assert.deepEqual(canariesIn('before and after'), []);
  });

  it('a credential is taken out of text whatever its characters are, as it is, in JSON and percent-encoded', () => {
    fc.assert(
      fc.property(printableAscii, (credential) => {
        const redact = redactor(credential);
        for (const echo of [credential, JSON.stringify(credential).slice(1, -1), encodeURIComponent(credential)]) {
          assert.equal(redact(`«${echo}»`), '«[redacted]»');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a credential is taken out of text if it is short, as a whole only', () => {
    assert.equal(redactor('abc')('xabcx ab bc'), 'x[redacted]x ab bc');
  });

  it('a credential is taken out of text, and the rest stays as it is', () => {
    const redact = redactor('ciphertext-0123456789');
    for (const text of ['', 'ciphertext', '%41&amp;\\u0041', '0123456789', 'ü😀\ud800', '<html>50% off</html>']) {
      assert.equal(redact(text), text);
    }
  });
});

describe('long text, cut to its excerpt,', () => {
  const spelled: Readonly<Record<string, (credential: string) => string>> = {
    'as it is': (credential) => credential,
    'as JSON': (credential) => JSON.stringify(credential),
    'percent-encoded to the last character': (credential) =>
      Array.from(credential, (c) => `%${c.charCodeAt(0).toString(16)}`).join(''),
    'in base64': (credential) => Buffer.from(credential).toString('base64'),
  };

  /** Without the few characters that Base64 shares with the text around it. */
  function assertNothingOfItIn(shown: string, what: string): void {
    const left = shown.replace(/\[redacted\]|\[r?e?d?a?c?t?e?d?…|[-"…]/g, '');
    assert.ok(left.length <= 6, `${what}: ${left}`);
  }

  for (const [how, spell] of Object.entries(spelled)) {
    it(`long text, cut to its excerpt, shows no part of a credential that lies across the cut, ${how}`, () => {
      for (const length of [16, 60, 4_000, 16_384]) {
        const credential = randomBytes(length).toString('base64').slice(0, length);
        const redact = redactor(credential);
        const echo = spell(credential);
        for (let before = 0; before < 1_200; before += 7) {
          const text = `${'-'.repeat(before)}${echo}${'-'.repeat(5_000)}`;
          assertNothingOfItIn(redact(text, 1_000), `${before} before ${length}`);
        }
      }
    });

    it(`long text, cut to its excerpt, shows no part of a second echo that moves up when the first is redacted, ${how}`, () => {
      const credential = randomBytes(300).toString('base64');
      const echo = spell(credential);
      for (let between = 0; between < 1_600; between += 11) {
        const shown = redactor(credential)(`${echo}${'-'.repeat(between)}${echo}${'-'.repeat(5_000)}`, 1_000);
        assertNothingOfItIn(shown, `${between} between`);
        assert.match(shown, /^"?\[redacted\]/);
      }
    });
  }

  it('long text, cut to its excerpt, is searched no further than that: a hostile MiB takes no longer than its first characters', () => {
    const credential = 'c'.repeat(16_384);
    const timeOf = (characters: number, kept: number): number => {
      let fastest = Infinity;
      for (const piece of ['ccccc%41', '\\u0025\\\\u', '%25%5c', '\\\\', 'c', `${credential.slice(0, 23)}!`]) {
        const text = piece.repeat(characters / piece.length);
        for (let n = 0; n < 5; n += 1) {
          const { user: before } = process.cpuUsage();
          redactor(credential)(text, kept);
          fastest = Math.min(fastest, process.cpuUsage().user - before);
        }
      }
      return fastest / 1_000;
    };
    const [ofPage, ofAnswer] = [timeOf(1024 * 1024, 1_000), timeOf(1024 * 1024, 32_000)];
    assert.ok(ofPage < 5, `${ofPage} ms`);
    assert.ok(ofAnswer < 5, `${ofAnswer} ms`);
  });
});
