import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { it } from 'node:test';
import type { Client } from '@temporalio/client';
import { keepCounting } from '../../src/worker/counts.ts';

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A Temporal client with only `count`, which answers what the test says. */
function counting() {
  const asked = { queries: 0, texts: new Set<string>(), fault: undefined as Error | undefined };
  const count = (text: string): Promise<{ count: number }> => {
    asked.queries += 1;
    asked.texts.add(text);
    return asked.fault === undefined ? Promise.resolve({ count: 3 }) : Promise.reject(asked.fault);
  };
  return { asked, client: { workflow: { count } } as unknown as Client };
}

it('builds are counted every 30 s, ever less often while Temporal throttles the requests, and then as before', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  // For modules that import a timer by name.
  syncBuiltinESMExports();
  t.after(syncBuiltinESMExports);
  // The middle of the jitter's range: no jitter.
  t.mock.method(Math, 'random', () => 0.5);
  const { asked, client } = counting();
  const faults: unknown[] = [];
  const gauges: Record<string, number> = {};
  const stop = new AbortController();
  const metrics = { setGauge: (name: string, value: number) => void (gauges[name] = value) };
  const logger = { warn: (fault: unknown) => void faults.push(fault) };
  const counted = keepCounting(client, 'role-builds', metrics, logger, stop.signal);
  const pass = async (seconds: number) => {
    t.mock.timers.tick(seconds * 1_000);
    await settled();
    const { queries } = asked;
    asked.queries = 0;
    return queries;
  };
  await settled();
  assert.equal(gauges['role_build_in_flight'], 3);
  const open = "WorkflowType = 'roleBuild' AND TaskQueue = 'role-builds' AND CloseTime IS NULL";
  assert.deepEqual([...asked.texts], [open, `${open} AND BuildStatus IN ('COMPLETE', 'FAILED', 'CANCELLED')`]);
  assert.equal(await pass(29), 2);
  assert.equal(await pass(1), 2);

  const details = 'namespace rate limit exceeded';
  const exhausted = Object.assign(new Error(details), { code: 8, details, metadata: {} });
  asked.fault = new Error('Failed to count', { cause: exhausted });
  assert.equal(await pass(30), 1);
  for (const seconds of [60, 120, 240, 240]) {
    assert.equal(await pass(seconds - 1), 0);
    assert.equal(await pass(1), 1, `after ${seconds} s`);
  }
  asked.fault = undefined;
  for (const seconds of [240, 120, 60, 30, 30]) {
    assert.equal(await pass(seconds - 1), 0);
    assert.equal(await pass(1), 2, `after ${seconds} s`);
  }

  asked.fault = new Error('away');
  assert.equal(await pass(30), 1);
  assert.equal(await pass(30), 1);
  assert.equal(faults.length, 7);
  stop.abort();
  await counted;
});
