import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { LOG_LEVELS, type LogLevel } from '../src/config.ts';
import { createLogger, TemporalPinoLogger } from '../src/logger.ts';
import { textSink } from './support/text-sink.ts';

type Line = Record<string, unknown>;

/** A logger and what has come out of it. */
function logged(level: LogLevel = 'trace'): {
  logger: ReturnType<typeof createLogger>;
  text(): string;
  lines(): Line[];
} {
  const { stream, text } = textSink();
  return {
    logger: createLogger(level, stream),
    text,
    lines: () =>
      text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line),
  };
}

function onlyLine(lines: Line[]): Line {
  assert.equal(lines.length, 1);
  return lines[0] as Line;
}

function withoutTime(line: Line): Line {
  return Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'time'));
}

describe('a log line', () => {
  test('is JSON with level, time and message, and nothing that was not given', () => {
    const { logger, lines } = logged();
    logger.info({ taskQueue: 'role-builds' }, 'worker polling');
    const { time, ...rest } = onlyLine(lines());
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, { level: 'info', taskQueue: 'role-builds', msg: 'worker polling' });
  });

  test('has an error with type, message, stack and the messages of its causes', () => {
    const { logger, lines } = logged();
    logger.error({ err: new Error('outer', { cause: new TypeError('inner') }) }, 'failed');
    const err = onlyLine(lines())['err'] as Record<string, string>;
    assert.equal(err['type'], 'Error');
    assert.match(err['message'] as string, /outer: inner/);
    assert.match(err['stack'] as string, /logger\.test\.ts/);
  });

  for (const level of LOG_LEVELS) {
    test(`comes out where its level is ${level} or above`, () => {
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
    ['headers as the original spells them', { headers: { 'Encrypted-Authorization': secret } }],
    ['an error', { err: Object.assign(new Error('failed'), { encrypted_jwt: secret }) }],
  ] as [string, Record<string, unknown>][]) {
    test(`does not come out in ${where}`, () => {
      const { logger, text, lines } = logged();
      logger.info(fields, 'message');
      assert.ok(!text().includes(secret), text());
      assert.match(text(), /\[redacted\]/);
      assert.equal(onlyLine(lines())['msg'], 'message');
    });
  }

  test('stays as it is in what was logged', () => {
    const { logger } = logged();
    const input = { encrypted_jwt: secret };
    logger.info({ input }, 'message');
    assert.equal(input.encrypted_jwt, secret);
  });

  test("does not come out of a child, as the SDK's are", () => {
    const { logger, text } = logged();
    logger.child({ input: { encrypted_jwt: secret } }).info({ input: { encrypted_jwt: secret } }, 'message');
    assert.ok(!text().includes(secret), text());
  });
});

describe("Temporal's logger", () => {
  for (const [method, level] of [
    ['trace', 'trace'],
    ['debug', 'debug'],
    ['info', 'info'],
    ['warn', 'warn'],
    ['error', 'error'],
  ] as const) {
    test(`logs ${method} as ${level}, both ways`, () => {
      const { logger, lines } = logged();
      const temporal = new TemporalPinoLogger(logger);
      temporal[method]('by name');
      temporal.log(method.toUpperCase() as Uppercase<typeof method>, 'by level', { workflowId: 'w' });
      assert.deepEqual(lines().map(withoutTime), [
        { level, msg: 'by name' },
        { level, workflowId: 'w', msg: 'by level' },
      ]);
    });
  }

  test('is held to the level that is set', () => {
    const { logger, lines } = logged('warn');
    const temporal = new TemporalPinoLogger(logger);
    temporal.info('info');
    temporal.warn('warn');
    assert.deepEqual(
      lines().map(({ msg }) => msg),
      ['warn'],
    );
  });

  test('shows an error as any other, with its cause', () => {
    const { logger, lines } = logged();
    const error = ApplicationFailure.create({
      message: 'put failed',
      type: 'RecordWriteFailed',
      cause: new Error('throttled'),
    });
    new TemporalPinoLogger(logger).warn('Activity failed', { error, attempt: 2 });
    const line = onlyLine(lines());
    assert.equal(line['attempt'], 2);
    assert.ok(!('error' in line));
    const err = line['err'] as Record<string, string>;
    assert.match(err['message'] as string, /put failed: throttled/);
    assert.match(err['stack'] as string, /logger\.test\.ts/);
  });

  test("takes the native half's fields, whose time JSON can not hold", () => {
    const { logger, lines } = logged();
    const meta = { target: 'temporalio_sdk_core::worker', timestampNanos: 1_700_000_000_000_000_000n };
    new TemporalPinoLogger(logger).info('Initializing worker', meta);
    assert.deepEqual(withoutTime(onlyLine(lines())), {
      level: 'info',
      target: meta.target,
      msg: 'Initializing worker',
    });
  });

  test('leaves out the tasks that the SDK adds, inputs and all', () => {
    const { logger, lines } = logged();
    const input = [{ data: Buffer.from('canary') }];
    const task = {
      task: JSON.stringify({ start: { input } }),
      taskEncoded: 'Y2FuYXJ5',
      start: { input },
      jobs: [input],
    };
    new TemporalPinoLogger(logger).error('Error while processing ActivityTask.start', { ...task, attempt: 1 });
    assert.deepEqual(Object.keys(onlyLine(lines())).sort(), ['attempt', 'level', 'msg', 'time']);
  });

  test('shows no payload, which the SDK logs whole at trace', () => {
    const { logger, text, lines } = logged();
    const data = Buffer.from('{"encrypted_jwt":"ciphertext"}');
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data };
    const activation = [{ initializeWorkflow: { workflowType: 'roleBuild', arguments: [payload] } }];
    const asMessages = JSON.parse(
      JSON.stringify({ payload: { metadata: {}, data: data.toString('base64') } }),
    ) as object;
    new TemporalPinoLogger(logger).trace('Got workflow activation', { activation, ...asMessages, raw: data, big: 1n });
    assert.ok(
      !text().includes(data.toString('base64')) && !text().includes('ciphertext') && !text().includes('99,105'),
    );
    assert.deepEqual(withoutTime(onlyLine(lines())), {
      level: 'trace',
      activation: [{ initializeWorkflow: { workflowType: 'roleBuild', arguments: ['[payload]'] } }],
      payload: '[payload]',
      raw: `[${data.length} bytes]`,
      big: '1',
      msg: 'Got workflow activation',
    });
  });

  test('redacts as any other', () => {
    const { logger, text } = logged();
    new TemporalPinoLogger(logger).info('message', { input: { encrypted_jwt: 'ciphertext' } });
    assert.ok(!text().includes('ciphertext'));
  });
});
