import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOG_LEVELS } from '../../src/config/settings.ts';
import { logged, onlyLine } from '../support/logged.ts';

describe('a log line', () => {
  it('a log line is JSON with level, time, message and the given fields only', () => {
    const { logger, lines } = logged();
    logger.info({ taskQueue: 'role-builds' }, 'worker polling');
    const { time, ...rest } = onlyLine(lines());
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, { level: 'info', taskQueue: 'role-builds', msg: 'worker polling' });
  });

  it('a log line has an error with type, message, stack and the messages of its causes', () => {
    const { logger, lines } = logged();
    logger.error({ err: new Error('outer', { cause: new TypeError('inner') }) }, 'failed');
    const err = onlyLine(lines())['err'] as Record<string, string>;
    assert.equal(err['type'], 'Error');
    assert.match(err['message'] as string, /outer: inner/);
    assert.match(err['stack'] as string, /logger\.test\.ts/);
  });

  for (const level of LOG_LEVELS) {
    it(`a log line is written if its level is ${level} or above`, () => {
      const { logger, lines } = logged(level);
      for (const one of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[one](one);
      const expected = level === 'silent' ? [] : LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1).toReversed();
      assert.deepEqual(
        lines().map(({ msg }) => msg),
        expected,
      );
    });
  }
});

describe('an address with a password in it', () => {
  it('an address with a password in it is not in the log of the error that it is not a URL', () => {
    const { logger, text } = logged();
    assert.throws(
      () => new URL('http://user:pass/word@dynamodb.example.com'),
      (err) => (logger.warn({ err }, 'failed'), true),
    );
    assert.match(text(), /ERR_INVALID_URL/);
    assert.doesNotMatch(text(), /word/);
  });
});

describe("the caller's credential", () => {
  const secret = 'ciphertext';

  for (const [where, fields] of [
    ['an input', { encrypted_jwt: secret }],
    ['an object', { input: { encrypted_jwt: secret, url: 'http://x' } }],
    ['a list', { args: [{ encrypted_jwt: secret }] }],
    ['an object in an object', { activity: { target: { encrypted_jwt: secret } } }],
    ['a list in an object', { info: { args: [{ encrypted_jwt: secret }] } }],
    ['headers', { 'encrypted-authorization': secret }],
    ["a request's headers", { headers: { 'encrypted-authorization': secret } }],
    ["a request's headers in an object", { request: { headers: { 'encrypted-authorization': secret } } }],
    ['headers as the state machine spells them', { headers: { 'Encrypted-Authorization': secret } }],
    ['an error', { err: Object.assign(new Error('failed'), { encrypted_jwt: secret }) }],
  ] as [string, Record<string, unknown>][]) {
    it(`the caller's credential is not logged in ${where}`, () => {
      const { logger, text, lines } = logged();
      logger.info(fields, 'message');
      assert.ok(!text().includes(secret), text());
      assert.match(text(), /\[redacted\]/);
      assert.equal(onlyLine(lines())['msg'], 'message');
    });
  }

  it("the caller's credential is redacted only in the log, not in the logged object", () => {
    const { logger } = logged();
    const input = { encrypted_jwt: secret };
    logger.info({ input }, 'message');
    assert.equal(input.encrypted_jwt, secret);
  });

  it("the caller's credential is not logged by a child logger, as the SDK uses", () => {
    const { logger, text } = logged();
    logger.child({ input: { encrypted_jwt: secret } }).info({ input: { encrypted_jwt: secret } }, 'message');
    assert.ok(!text().includes(secret), text());
  });
});
