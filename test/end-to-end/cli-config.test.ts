/** What `role-build config` shows of the settings, without any service. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { documents, type } from '../support/cli-session.ts';
import { exitsWith } from '../support/exits-with.ts';
import { sessionAlone } from '../support/session-alone.ts';

describe('the settings in force', { concurrency: 4 }, () => {
  const on = sessionAlone();
  const { $ } = on;

  it('config shows the settings in force, where each comes from, and no secret', async () => {
    const toml = join(on.home, 'temporal.toml');
    await writeFile(
      toml,
      '[profile.default]\naddress = "temporal.example.com:7233"\nnamespace = "roles"\napi_key = "s3cret-1"\n',
    );
    const settings = {
      HOME: on.home,
      TEMPORAL_CONFIG_FILE: toml,
      TEMPORAL_NAMESPACE: 'others',
      HISTORY_TABLE: 'mine',
      ENCRYPTED_JWT: 's3cret-2',
      AWS_ACCESS_KEY_ID: 'key',
      AWS_SECRET_ACCESS_KEY: 's3cret-3',
      AWS_ENDPOINT_URL_DYNAMODB: 'http://user:s3cret-4@127.0.0.1:9',
    };
    const shown = await type(settings, 'role-build config').shown;
    assert.equal(shown.code, 0, shown.stderr);
    for (const row of [
      /^STATUS_TABLE +iam_orchestrator_execution_status +default$/m,
      /^HISTORY_TABLE +mine +environment$/m,
      /^API_ALB_FQDN +\(none\) +not set; required by the worker$/m,
      /^ENCRYPTED_JWT +\(hidden\) +environment$/m,
      /^TEMPORAL_ADDRESS +temporal\.example\.com:7233 +temporal\.toml \(profile default\)$/m,
      /^TEMPORAL_NAMESPACE +others +environment$/m,
      /^TEMPORAL_API_KEY +\(hidden\) +temporal\.toml/m,
      /^AWS_ENDPOINT_URL_DYNAMODB +http:\/\/\(hidden\)@127\.0\.0\.1:9 +environment$/m,
      /^AWS_PROFILE +\(none\) +not set; the AWS SDK's own files$/m,
    ]) {
      assert.match(shown.screen, row);
    }
    const json = await type(settings, 'role-build config --json').shown;
    const all = documents(json)[0]?.['settings'] as { name: string; value: string; source: string }[];
    assert.deepEqual(
      all.find(({ name }) => name === 'TEMPORAL_NAMESPACE'),
      { name: 'TEMPORAL_NAMESPACE', value: 'others', source: 'environment' },
    );
    assert.doesNotMatch(`${shown.screen}${json.screen}`, /s3cret/);
  });

  for (const address of ['me:s3cret@temporal.example:7233', 'https://me:s3cret@temporal.example']) {
    it(`an address of Temporal with a password is refused and not repeated: ${address.split(':')[0]}`, async () => {
      const settings = { HOME: on.home, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'bücher' };
      for (const line of ['role-build config', 'role-build config --json', 'role-build list']) {
        const { code, raw, stderr } = await $(line, { settings });
        assert.equal(code, 2, stderr);
        assert.match(stderr, /TEMPORAL_ADDRESS must be host:port, without a user name or password/);
        assert.match(stderr, /TEMPORAL_NAMESPACE must be printable ASCII/);
        assert.ok(!`${raw}${stderr}`.includes('s3cret'));
      }
    });
  }

  it('config shows whether TLS is on: with an API key, also if its variable is empty, and only for the documented values', async () => {
    const settings = { TEMPORAL_API_KEY: 's3cret', TEMPORAL_TLS: '' };
    const { code, screen, stderr } = await $('role-build config', { settings });
    assert.equal(code, 0, stderr);
    assert.match(screen, /^TEMPORAL_TLS +true +because of the API key$/m);
    const yes = await $('role-build config', { settings: { ...settings, TEMPORAL_TLS: 'yes' } });
    assert.equal(yes.code, 2);
    assert.match(yes.stderr, /TEMPORAL_TLS must be true or false, not "yes"/);
    assert.doesNotMatch(`${screen}${yes.screen}${yes.stderr}`, /s3cret/);
  });

  it('config shows the TLS files and server name, from variables or a profile, and that hosts are still verified', async () => {
    const pem = join(on.home, 'temporal.pem');
    const toml = join(on.home, 'tls.toml');
    await writeFile(pem, '');
    await writeFile(
      toml,
      `[profile.eu.tls]\nserver_name = "t.example"\nclient_cert_data = "PEM"\nclient_key_data = "s3cret"\n`,
    );
    const settings = {
      HOME: on.home,
      TEMPORAL_CONFIG_FILE: toml,
      TEMPORAL_PROFILE: 'eu',
      TEMPORAL_TLS: 'true',
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: pem,
      TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true',
      NODE_EXTRA_CA_CERTS: pem,
    };
    const { code, screen, stderr } = await $('role-build config', { settings });
    assert.equal(code, 0, stderr);
    for (const row of [
      /^TEMPORAL_TLS +true +environment$/m,
      /^TEMPORAL_TLS_SERVER_NAME +t\.example +temporal\.toml \(profile eu\)$/m,
      /^TEMPORAL_TLS_SERVER_CA_CERT_PATH +\S+temporal\.pem +environment$/m,
      /^TEMPORAL_TLS_CLIENT_CERT_DATA +\(hidden\) +temporal\.toml \(profile eu\)$/m,
      /^TEMPORAL_TLS_CLIENT_KEY_DATA +\(hidden\) +temporal\.toml \(profile eu\)$/m,
      /^TEMPORAL_TLS_DISABLE_HOST_VERIFICATION +false +default$/m,
      /^TEMPORAL_PROFILE +eu +environment$/m,
      /^TEMPORAL_CONFIG_FILE +\S+tls\.toml +environment$/m,
      /^NODE_EXTRA_CA_CERTS +\S+temporal\.pem +environment$/m,
    ]) {
      assert.match(screen, row);
    }
    assert.match(stderr, /TEMPORAL_TLS_DISABLE_HOST_VERIFICATION is ignored/);
    assert.doesNotMatch(`${screen}${stderr}`, /s3cret/);
    const off = await $('role-build config', { settings: { ...settings, TEMPORAL_TLS: 'false' } });
    assert.doesNotMatch(off.screen, /TEMPORAL_TLS_SERVER/);
  });

  it('config reports settings that contradict each other, and no others', async () => {
    const key = `k1:${Buffer.alloc(32).toString('base64')}`;
    const password = join(on.home, 'password');
    await writeFile(password, 's3cret');
    const right = {
      ENCRYPTION_KEYS: key,
      ENCRYPTION_REQUIRED: 'true',
      CODEC_SERVER_ADDRESS: '127.0.0.1:0',
      DIRECTORY_URL: 'ldaps://dc.example.com',
      DIRECTORY_BIND_USER: 'svc@example.com',
      DIRECTORY_PASSWORD_FILE: password,
      DIRECTORY_GROUP_OU: 'OU=AWS,DC=example,DC=com',
      TEMPORAL_DEPLOYMENT_NAME: 'builds',
      TEMPORAL_WORKER_BUILD_ID: 'v1',
    };
    await exitsWith(0, $('role-build config', { settings: right }));
    await exitsWith(0, $('role-build config', { settings: { CODEC_SERVER_ADDRESS: '' } }));
    const wrong = { ...right, ENCRYPTION_KEYS: '', DIRECTORY_GROUP_OU: '', TEMPORAL_WORKER_BUILD_ID: '' };
    const { code, stderr } = await $('role-build config', { settings: wrong });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^role-build: ENCRYPTION_REQUIRED needs ENCRYPTION_KMS_KEY_ARNS/m);
    assert.match(stderr, /^role-build: DIRECTORY_GROUP_OU must be set too/m);
    assert.match(stderr, /^role-build: TEMPORAL_WORKER_BUILD_ID must be set too/m);
    const [{ faults } = {}] = documents(await $('role-build config --json', { settings: wrong }));
    // The codec server has no key either.
    assert.equal((faults as string[]).length, 4);
    const both = { HOME: on.home, ENCRYPTION_REQUIRED: 'true', TEMPORAL_ADDRESS: 'me@temporal.example' };
    const named = await $('role-build list', { settings: both });
    assert.match(named.stderr, /2 settings are missing or wrong:\n {2}ENCRYPTION_REQUIRED .*\n {2}TEMPORAL_ADDRESS /);
  });

  it('config names the variable of Temporal that is wrong, as any command does', async () => {
    const TEMPORAL_TLS_SERVER_CA_CERT_PATH = join(on.home, 'nowhere.pem');
    const missing = { HOME: on.home, TEMPORAL_TLS: 'true', TEMPORAL_TLS_SERVER_CA_CERT_PATH };
    for (const line of ['role-build config', 'role-build list']) {
      const { code, stderr } = await $(line, { settings: missing });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /ENOENT.*nowhere\.pem' \(TEMPORAL_TLS_SERVER_CA_CERT_PATH\)$/m);
    }
    for (const [settings, said] of [
      [{ TEMPORAL_TLS: 'maybe' }, /^role-build: TEMPORAL_TLS must be true or false/m],
      [{ TEMPORAL_PROFILE: 'nope' }, /^role-build: TEMPORAL_PROFILE names no profile: Profile 'nope' not found/m],
    ] as const) {
      assert.match((await $('role-build config', { settings: { HOME: on.home, ...settings } })).stderr, said);
    }
  });

  it('config shows no part of a password in an address, whatever characters it has', async () => {
    for (const credentials of [
      '//user:p@s3cret@',
      '//user:1/s3cret@',
      '//user:1/?s3cret@x@',
      '//s3cret@',
      'user:s3cret@',
      '//user:p s3cret@',
    ]) {
      const address = `http:${credentials}collector:4318`;
      const settings = { HOME: on.home, OTEL_EXPORTER_OTLP_ENDPOINT: address, AWS_ENDPOINT_URL_DYNAMODB: address };
      const { screen } = await $('role-build config', { settings });
      for (const name of Object.keys(settings).slice(1)) {
        assert.match(screen, new RegExp(`^${name} +http:(//)?\\(hidden\\)@collector:4318 +environment$`, 'm'));
      }
      assert.doesNotMatch(screen, /s3cret/);
    }
  });

  it('config names a setting that is wrong, without its value', async () => {
    const settings = { TEMPORAL_UI_URL: 'https://user:s3cret@ui.example.com', LOG_LEVEL: 'loud' };
    const { code, screen, stderr } = await $('role-build config', { settings });
    assert.equal(code, 2, stderr);
    assert.match(screen, /^TEMPORAL_UI_URL +\(hidden\) +wrong$/m);
    assert.match(stderr, /^role-build: TEMPORAL_UI_URL must be an address/m);
    assert.match(stderr, /^role-build: LOG_LEVEL must be one of/m);
    assert.doesNotMatch(`${screen}${stderr}`, /s3cret/);
  });

  it('a profile named like a property of every object does not exist', async () => {
    for (const TEMPORAL_PROFILE of ['constructor', '__proto__', 'toString', 'nope']) {
      const toml = join(on.home, 'profiles.toml');
      await writeFile(toml, '[profile.default]\nnamespace = "roles"\n');
      const settings = { TEMPORAL_CONFIG_FILE: toml, TEMPORAL_PROFILE };
      const { code, stderr } = await $('role-build config', { settings });
      assert.equal(code, 2, TEMPORAL_PROFILE);
      assert.match(stderr, /Profile '\w+' not found/);
    }
  });

  it('a temporal.toml is read as UTF-8, or refused with its line and byte', async () => {
    const toml = join(on.home, 'latin1.toml');
    await writeFile(toml, Buffer.from('[profile.default]\nnamespace = "Ren\u00e9e"\n', 'latin1'));
    for (const line of ['role-build list', 'role-build config']) {
      const { code, stderr } = await $(line, { settings: { TEMPORAL_CONFIG_FILE: toml } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /: line 2, byte 17: 0xE9 is not UTF-8; save it as UTF-8$/m);
    }
    await writeFile(toml, '\uFEFF[profile.default]\naddress = "t.example.com:7233"\n');
    const marked = await $('role-build config', { settings: { HOME: on.home, TEMPORAL_CONFIG_FILE: toml } });
    assert.match(marked.screen, /^TEMPORAL_ADDRESS +(t\.example\.com:7233|127\.0\.0\.1:9) /m);
  });
});
