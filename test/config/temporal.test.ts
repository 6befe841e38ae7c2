/** Temporal's own settings, which a file or variables hold. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SettingsError } from '../../src/config/settings.ts';
import { loadTemporalConfig } from '../../src/config/temporal.ts';

const folder = mkdtempSync(join(tmpdir(), 'temporal-toml-'));

describe('temporal.toml', () => {
  after(() => rmSync(folder, { recursive: true }));

  it('temporal.toml may be missing from its usual place', () => {
    assert.doesNotThrow(() => loadTemporalConfig({ HOME: folder, XDG_CONFIG_HOME: folder }));
  });

  it('temporal.toml may not be missing if TEMPORAL_CONFIG_FILE names it', () => {
    const TEMPORAL_CONFIG_FILE = join(folder, 'missing.toml');
    assert.throws(
      () => loadTemporalConfig({ TEMPORAL_CONFIG_FILE }),
      (err: unknown) => err instanceof SettingsError && err.message.includes(`open '${TEMPORAL_CONFIG_FILE}'`),
    );
  });
});
