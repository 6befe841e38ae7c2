import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { temporalLogger } from '../../src/worker/temporal-logger.ts';
import { logged, onlyLine, withoutTime } from '../support/logged.ts';

describe("Temporal's logger", () => {
  for (const [method, level] of [
    ['trace', 'trace'],
    ['debug', 'debug'],
    ['info', 'info'],
    ['warn', 'warn'],
    ['error', 'error'],
  ] as const) {
    it(`Temporal's logger logs ${method} as ${level}, both ways`, () => {
      const { logger, lines } = logged();
      const temporal = temporalLogger(logger);
      temporal[method]('by name');
      temporal.log(method.toUpperCase() as Uppercase<typeof method>, 'by level', { workflowId: 'w' });
      assert.deepEqual(lines().map(withoutTime), [
        { level, msg: 'by name' },
        { level, workflowId: 'w', msg: 'by level' },
      ]);
    });
  }

  it("Temporal's logger logs from the level that is set", () => {
    const { logger, lines } = logged('warn');
    const temporal = temporalLogger(logger);
    temporal.info('info');
    temporal.warn('warn');
    assert.deepEqual(
      lines().map(({ msg }) => msg),
      ['warn'],
    );
  });

  it("Temporal's logger logs an error like ours, with its cause", () => {
    const { logger, lines } = logged();
    const error = ApplicationFailure.create({
      message: 'put failed',
      type: 'RecordWriteFailed',
      cause: new Error('throttled'),
    });
    temporalLogger(logger).warn('Activity failed', { error, attempt: 2 });
    const line = onlyLine(lines());
    assert.equal(line['attempt'], 2);
    assert.ok(!('error' in line));
    const err = line['err'] as Record<string, string>;
    assert.match(err['message'] as string, /put failed: throttled/);
    assert.match(err['stack'] as string, /logger\.test\.ts/);
  });

  it("Temporal's logger accepts the fields of the native half, whose time is a bigint", () => {
    const { logger, lines } = logged();
    const meta = { target: 'temporalio_sdk_core::worker', timestampNanos: 1_700_000_000_000_000_000n };
    temporalLogger(logger).info('Initializing worker', meta);
    assert.deepEqual(withoutTime(onlyLine(lines())), {
      level: 'info',
      target: meta.target,
      msg: 'Initializing worker',
    });
  });

  it("Temporal's logger leaves out the tasks that the SDK adds, inputs and all", () => {
    const { logger, lines } = logged();
    const input = [{ data: Buffer.from('canary') }];
    const task = {
      task: JSON.stringify({ start: { input } }),
      taskEncoded: 'Y2FuYXJ5',
      start: { input },
      jobs: [input],
    };
    temporalLogger(logger).error('Error while processing ActivityTask.start', { ...task, attempt: 1 });
    assert.deepEqual(Object.keys(onlyLine(lines())).sort(), ['attempt', 'level', 'msg', 'time']);
  });

  it("Temporal's logger shows no payload, which the SDK logs whole at trace", () => {
    const { logger, text, lines } = logged();
    const data = Buffer.from('{"encrypted_jwt":"ciphertext"}');
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data };
    const activation = [{ initializeWorkflow: { workflowType: 'roleBuild', arguments: [payload] } }];
    const asMessages = JSON.parse(
      JSON.stringify({ payload: { metadata: {}, data: data.toString('base64') } }),
    ) as object;
    temporalLogger(logger).trace('Got workflow activation', { activation, ...asMessages, raw: data, big: 1n });
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

  it("Temporal's logger redacts like ours", () => {
    const { logger, text } = logged();
    temporalLogger(logger).info('message', { input: { encrypted_jwt: 'ciphertext' } });
    assert.ok(!text().includes('ciphertext'));
  });
});
