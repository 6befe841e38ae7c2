/** The documentation in the table of settings, against the parsers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SETTINGS, type Setting } from '../../src/config/settings.ts';

const settings: readonly [name: string, Setting<unknown>][] = Object.entries(SETTINGS);

it('every setting has an example that its parser accepts', () => {
  for (const [name, { example, parse }] of settings) {
    if (name === 'ENCRYPTION_KEYS_FILE') assert.throws(() => parse(example), /file that can't be read \(ENOENT\)/);
    else assert.doesNotThrow(() => parse(example), name);
  }
});

it('every setting with a range accepts both ends and nothing beyond, and names its unit', () => {
  for (const [name, { range, unit, parse }] of settings) {
    assert.equal(unit === undefined, range === undefined, name);
    if (range === undefined) continue;
    for (const end of range) assert.doesNotThrow(() => parse(String(end)), `${name} ${end}`);
    for (const beyond of [range[0] - 0.001, range[1] + 0.001]) {
      assert.throws(() => parse(String(beyond)), /must be a number from /, `${name} ${beyond}`);
    }
  }
});

it('every setting that lists its values accepts each of them and no other', () => {
  for (const [name, { values, parse }] of settings) {
    if (values === undefined) continue;
    for (const value of values) assert.doesNotThrow(() => parse(value), `${name} ${value}`);
    assert.throws(() => parse('nonsense'), /must be/, name);
  }
});

it('every default of a setting is accepted by its parser', () => {
  for (const [name, { default: fallback, parse }] of settings) {
    if (fallback !== undefined) assert.doesNotThrow(() => parse(fallback), name);
  }
});
