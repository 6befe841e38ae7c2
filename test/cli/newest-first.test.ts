import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { fromPageToken, newestFirst, positionOf, toPageToken } from '../../src/cli/newest-first.ts';
import type { Services } from '../../src/cli/services.ts';

interface Started {
  startTime: Date;
  runId: string;
}

/** A visibility store that has these, in no good order, and takes `StartTime BETWEEN` alone. */
function storeOf(all: readonly Started[]): { services: Services; lists: number[] } {
  const lists: number[] = [];
  const within = (query: string) => {
    const [, from = '', to = ''] = /StartTime BETWEEN '(.*)' AND '(.*)'/.exec(query) ?? [];
    return all.filter(({ startTime }) => startTime >= new Date(from) && startTime <= new Date(to));
  };
  const workflow = {
    count: (query: string) => Promise.resolve({ count: within(query).length }),
    async *list({ query }: { query: string }) {
      const found = within(query);
      lists.push(found.length);
      yield* await Promise.resolve(found);
    },
  };
  const services = { client: { workflow }, temporal: (call: () => Promise<unknown>) => call() };
  return { services: services as unknown as Services, lists };
}

async function take(services: Services, limit: number, options = {}): Promise<Started[]> {
  const taken: Started[] = [];
  for await (const one of newestFirst(services, 'true', options)) {
    taken.push(one);
    if (taken.length === limit) break;
  }
  return taken;
}

const sorted = (all: readonly Started[]) =>
  all.toSorted((a, b) => b.startTime.getTime() - a.startTime.getTime() || (a.runId < b.runId ? 1 : -1));

describe('newest first', () => {
  test('looks at little of a large store for its first page', async () => {
    const all = Array.from({ length: 20_000 }, (_, i) => ({
      startTime: new Date(Date.UTC(2026, 0, 1) + ((i * 7919) % 20_000) * 30_000),
      runId: String(i),
    }));
    const { services, lists } = storeOf(all);
    assert.deepEqual(await take(services, 30), sorted(all).slice(0, 30));
    assert.ok(lists.reduce((sum, found) => sum + found, 0) <= 1_000, lists.join());
  });

  test('pages add up to all, each once, however many start at once', async () => {
    const startedAt = fc.oneof(
      fc.constant(Date.UTC(2026, 0, 1)),
      fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(startedAt, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        async (starts, limit) => {
          const all = starts.map((ms, i) => ({ startTime: new Date(ms), runId: String(i).padStart(3, '0') }));
          const { services } = storeOf(all);
          const seen: Started[] = [];
          for (let after; ;) {
            const page = await take(services, limit, after === undefined ? {} : { after });
            seen.push(...page);
            const last = page.at(-1);
            if (last === undefined) break;
            after = fromPageToken(toPageToken(positionOf(last as never)));
          }
          const inPast = sorted(all).filter(({ startTime }) => startTime.getTime() <= Date.now() + 86_400_000);
          assert.deepEqual(seen, inPast);
        },
      ),
      { numRuns: 50 },
    );
  });
});
