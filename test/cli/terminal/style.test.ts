import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { styleFor } from '../../../src/cli/terminal/style.ts';

describe('text from outside', () => {
  for (const colours of [true, false]) {
    const style = styleFor({ colours });
    for (const name of ['plain', 'bold', 'dim', 'status', 'link', 'bad'] as const) {
      it(`text from outside can't begin a new line: ${name}, ${colours ? 'with' : 'without'} colours`, () => {
        assert.ok(style[name]('BuildFailed\nNext  rm').includes(String.raw`BuildFailed\u000aNext  rm`));
      });
    }
  }
});
