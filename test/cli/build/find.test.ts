import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { v7 as uuidv7 } from 'uuid';
import { onceListed } from '../../../src/cli/build/find.ts';
import type { Services } from '../../../src/cli/services.ts';

const madeAt = (ms: number) => uuidv7({ msecs: ms });

describe('a build named by an ID', () => {
  /** Looks for a build that appears at a given look. @returns what was found, and at which look */
  async function lookFor(id: string, foundAtLook: number, signal?: AbortSignal) {
    let looks = 0;
    const look = async () => {
      looks += 1;
      return looks >= foundAtLook;
    };
    const found = await onceListed({ signal } as Services, id, look, (isThere) => isThere);
    return { found, looks };
  }

  it('a build named by an ID is found right after its start, although it is listed a little later', async () => {
    assert.deepEqual(await lookFor(madeAt(Date.now()), 3), { found: true, looks: 3 });
  });

  for (const [what, id] of [
    ['was made long ago', madeAt(Date.parse('2026-01-01T00:00:00.000Z'))],
    ['is said to be made far in the future', madeAt(Date.parse('2126-01-01T00:00:00.000Z'))],
    ['does not say when it was made', '919108f7-52d1-4320-9bac-f847db4148a8'],
    ['is no UUID', 'a request'],
  ] as const) {
    it(`a build named by an ID is looked for once if the ID ${what}`, async () => {
      assert.deepEqual(await lookFor(id, Infinity), { found: false, looks: 1 });
    });
  }

  it('a build named by an ID is not looked for after Ctrl-C', async () => {
    const interrupt = new AbortController();
    const found = lookFor(madeAt(Date.now()), Infinity, interrupt.signal);
    interrupt.abort();
    await assert.rejects(found, { name: 'AbortError' });
  });
});
