import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { readSettings, WORKER_SETTINGS } from '../../src/config/settings.ts';
import { loadTemporalConfig } from '../../src/config/temporal.ts';
import { runWorker } from '../../src/worker/run.ts';
import { logged } from '../support/logged.ts';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

let stack: TestStack;
before(async () => {
  stack = await startTestStack({ temporal: { uiPort: false } });
});
after(() => stack.stop());

it('another worker can start in the same process after one was stopped', async () => {
  const env = { ...stack.settings, HEALTH_ADDRESS: '127.0.0.1:0', METRICS_ADDRESS: '127.0.0.1:0' };
  // Libraries read the process's own environment.
  Object.assign(process.env, env);
  for (const name of ['first', 'second']) {
    const stopping = new AbortController();
    const { logger, text } = logged('info');
    const settings = readSettings(env, WORKER_SETTINGS);
    const temporal = loadTemporalConfig(process.env);
    const running = runWorker({ settings, temporal, tracing: undefined, logger, stop: stopping.signal });
    // The worker's bundler keeps this process busy.
    await until('it polls', () => text().includes('worker polling'));
    const { json, stderr } = await stack.build(inputFor(stack, name, { polls: 0 }));
    stopping.abort();
    await running;
    assert.equal(json['status'], 'COMPLETE', stderr);
  }
});
