/** How fast a batch starts its builds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startQueue } from '../../../../src/cli/commands/batch/starter.ts';

describe('the starts of a batch', () => {
  for (const [rate, count, atOnce] of [
    [0.8, 3, 1],
    [2.5, 5, 1],
    [15, 20, 1],
    [55.5, 60, 5],
  ] as const) {
    it(`the starts of a batch are no more than ${rate} a second`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
      const queue = startQueue(rate);
      const times: number[] = [];
      for (let i = 0; i < count; i += 1) void queue.add(() => times.push(Date.now()));
      // The slowest rate needs 1,250 ms between two.
      for (let ms = 0; ms < 4_000 && times.length < count; ms += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        t.mock.timers.tick(1);
      }
      assert.equal(times.length, count);
      for (const [i, time] of times.entries()) {
        // The queue counts whole milliseconds.
        const earliest = (1_000 * (i - (i % atOnce))) / rate - 2;
        assert.ok(time >= earliest, `${i}: after ${time} ms, not ${earliest}`);
      }
    });
  }

  it('the starts of a batch run sixteen at a time without a rate', async () => {
    const queue = startQueue(undefined);
    let [running, most] = [0, 0];
    const start = async () => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await Promise.all(Array.from({ length: 100 }, () => queue.add(start)));
    assert.equal(most, 16);
  });

  it('the starts of a batch that wait for their turn can be dropped at once, however low the rate', async () => {
    const queue = startQueue(1e-9);
    const all = [queue.add(() => 'first'), queue.add(() => 'second')];
    const room = queue.onSizeLessThan(1);
    queue.clear();
    await room;
    const settled = await Promise.allSettled(all);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });
});
