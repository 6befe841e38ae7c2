/** Temporal's own settings, from a file or variables. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SettingsError } from '../../src/config/settings.ts';
import { connectionFaults, loadTemporalConfig } from '../../src/config/temporal.ts';

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

describe('how Temporal is reached', () => {
  it('how Temporal is reached is refused by its variable if a library would fail on it or not use it', () => {
    const faultsOf = (address?: string, namespace?: string, key?: string) => [
      ...connectionFaults(address, namespace, key).keys(),
    ];
    for (const address of [' 127.0.0.1:7233', '127.0.0.1:99999', 'http://127.0.0.1:7233', 'me:secret@host:7233']) {
      assert.deepEqual(faultsOf(address), ['TEMPORAL_ADDRESS'], address);
    }
    for (const address of ['127.0.0.1:7233', 'temporal', '[::1]:7233', 'eu.example:65535', '']) {
      assert.deepEqual(faultsOf(address), [], address);
    }
    for (const namespace of [' roles', 'roles ', 'rôles']) {
      assert.deepEqual(faultsOf('', namespace), ['TEMPORAL_NAMESPACE'], namespace);
    }
    for (const key of ['a\nb', 'a b', 'schlüssel']) assert.deepEqual(faultsOf('', 'roles', key), ['TEMPORAL_API_KEY']);
    assert.deepEqual(faultsOf('', 'roles', 'a.B-c_d=='), []);
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
