import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RateLimit } from '../../src/build-api/rate-limit.ts';

const never = new AbortController().signal;

describe('a limit of calls a second', () => {
  it('a limit of calls a second spaces them evenly, first come first served', async () => {
    const limit = new RateLimit(20, 10_000);
    const startedAt = performance.now();
    const order: number[] = [];
    const at: number[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        assert.equal(await limit.take(never), true);
        order.push(i);
        at.push(performance.now() - startedAt);
      }),
    );
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
    // A timer of Node.js may fire up to a millisecond early.
    assert.ok(
      at.every((ms, i) => ms >= i * 50 - 2),
      at.join(', '),
    );
  });

  it('a limit of calls a second saves nothing up from quiet times', async () => {
    const limit = new RateLimit(10, 10_000);
    await limit.take(never);
    await new Promise((resolve) => setTimeout(resolve, 250));
    const startedAt = performance.now();
    for (let i = 0; i < 3; i += 1) await limit.take(never);
    assert.ok(performance.now() - startedAt >= 198);
  });

  it('a limit of calls a second refuses a call at once that would wait too long', async () => {
    const limit = new RateLimit(10, 150);
    const startedAt = performance.now();
    const turns = [0, 1, 2, 3].map(async () => ({ turn: await limit.take(never), ms: performance.now() - startedAt }));
    const taken = await Promise.all(turns);
    assert.deepEqual(
      taken.map(({ turn }) => turn),
      [true, true, false, false],
    );
    assert.ok(taken.slice(2).every(({ ms }) => ms < 80));
  });

  it('a limit of calls a second lets a dropped call stop waiting', async () => {
    const limit = new RateLimit(1, 10_000);
    await limit.take(never);
    const drop = new AbortController();
    const taken = limit.take(drop.signal);
    drop.abort();
    await assert.rejects(taken, { name: 'AbortError' });
  });
});
