/** Temporal's own settings, from a file or variables. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SettingsError } from '../../src/config/settings.ts';
import { loadTemporalConfig } from '../../src/config/temporal.ts';

const folder = mkdtempSync(join(tmpdir(), 'temporal-toml-'));

describe("Temporal's variables", () => {
  it("Temporal's variables turn TLS on or off only by true and false, since the library reads yes as no", () => {
    const names = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];
    for (const name of names) {
      for (const value of ['yes', 'TRUE', 'on', 'true ', 'off', 'no']) {
        assert.throws(() => loadTemporalConfig({ HOME: folder, [name]: value }), {
          name: 'SettingsError',
          message: new RegExp(`${name} must be true or false, not "${value}"`),
        });
      }
      for (const value of ['true', 'false', '1', '0', undefined]) {
        assert.doesNotThrow(() => loadTemporalConfig({ HOME: folder, [name]: value }));
      }
    }
  });
});

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
