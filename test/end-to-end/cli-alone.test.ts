import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { documents, TERMINAL, type, type SessionOptions, type Shown } from '../support/cli-session.ts';
import { PROGRAMS } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { exitsWith } from '../support/exits-with.ts';

/** Port 9 is for discarding, and nobody listens there. */
const NOWHERE = {
  TEMPORAL_ADDRESS: '127.0.0.1:9',
  AWS_REGION: 'eu-west-1',
  AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9',
};

describe('a session without any service', { concurrency: 4 }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
  });
  after(() => rm(folder, { recursive: true }));
  const $ = (line: string, options: SessionOptions = {}): Promise<Shown> =>
    type({ HOME: folder, ...NOWHERE }, line, options).shown;

  it('role-build --version prints the version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await $('role-build --version'), {
      code: 0,
      screen: `${version}\n`,
      stderr: '',
      raw: `${version}\n`,
    });
    assert.deepEqual(documents(await $('role-build -V --json')), [{ version }]);
  });

  for (const [line, hint] of [
    ['role-build histroy 123456789012', /unknown command 'histroy'\n\(Did you mean history\?\)/],
    ['role-build list --acount 1', /unknown option '--acount'\n\(Did you mean --account\?\)/],
    ['role-build watch', /name one build: .*\ntry: role-build watch --status IN_PROGRESS/],
    ['role-build watch 123456789012 x --role y', /name one build, or say with filters which ones, not both/],
    ['role-build history', /missing required argument 'account'/],
    ['role-build list extra', /too many arguments/],
    ['role-build completion tcsh', /Allowed choices are bash, zsh, fish/],
    ['role-build status 123456789012', /ACCOUNT RESOURCE/],
    ['role-build status x y', /12 digits/],
    ['role-build cancel 123456789012 x --job-id y', /one build/],
    ['role-build start --input /nowhere', /can't be read/],
    ['role-build start --input - --role x', /--role: can't be given together with --input/],
    ['role-build start --deadline-seconds soon', /whole number of seconds/],
  ] as const) {
    it(`${line} ends with exit code 2 and says what was meant`, async () => {
      const { code, screen, stderr } = await $(line);
      assert.equal(code, 2, stderr);
      assert.equal(screen, '');
      assert.match(stderr, hint);
      const [json] = documents(await $(`${line} --json`));
      assert.equal(json?.['error'], 'usage');
    });
  }

  it('role-build says what happened, why, and what to try, if a service is away', async () => {
    const { code, screen, stderr } = await $('role-build list');
    assert.equal(code, 5, stderr);
    assert.equal(screen, '');
    assert.match(stderr, /^role-build: Temporal can't be reached at 127\.0\.0\.1:9: .*\ntry: role-build config /);
    const quiet = await $('role-build list --quiet --json');
    assert.equal(quiet.stderr, stderr, '--quiet keeps no failure back');
    assert.equal(documents(quiet)[0]?.['error'], 'unreachable');
  });

  it('config shows what is in force, where it comes from, and no secret', async () => {
    const toml = join(folder, 'temporal.toml');
    await writeFile(
      toml,
      '[profile.default]\naddress = "temporal.example.com:7233"\nnamespace = "roles"\napi_key = "s3cret-1"\n',
    );
    const settings = {
      HOME: folder,
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
    it(`an address of Temporal with a password in it is refused and not repeated: ${address.split(':')[0]}`, async () => {
      const settings = { HOME: folder, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'bücher' };
      for (const line of ['role-build config', 'role-build config --json', 'role-build list']) {
        const { code, raw, stderr } = await $(line, { settings });
        assert.equal(code, 2, stderr);
        assert.match(stderr, /TEMPORAL_ADDRESS must be host:port, without a user name or password/);
        assert.match(stderr, /TEMPORAL_NAMESPACE must be printable ASCII/);
        assert.ok(!`${raw}${stderr}`.includes('s3cret'));
      }
    });
  }

  it('config shows TLS as it is: on with an API key, also if its variable is empty, and never by another word', async () => {
    const settings = { TEMPORAL_API_KEY: 's3cret', TEMPORAL_TLS: '' };
    const { code, screen, stderr } = await $('role-build config', { settings });
    assert.equal(code, 0, stderr);
    assert.match(screen, /^TEMPORAL_TLS +true +because of the API key$/m);
    const yes = await $('role-build config', { settings: { ...settings, TEMPORAL_TLS: 'yes' } });
    assert.equal(yes.code, 2);
    assert.match(yes.stderr, /TEMPORAL_TLS must be true or false, not "yes"/);
    assert.doesNotMatch(`${screen}${yes.screen}${yes.stderr}`, /s3cret/);
  });

  it('config finds what is wrong with settings that go together, and nothing with those that are right', async () => {
    const key = `k1:${Buffer.alloc(32).toString('base64')}`;
    const password = join(folder, 'password');
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
    // The codec server has nothing to decrypt with either.
    assert.equal((faults as string[]).length, 4);
    const both = { HOME: folder, ENCRYPTION_REQUIRED: 'true', TEMPORAL_ADDRESS: 'me@temporal.example' };
    const named = await $('role-build list', { settings: both });
    assert.match(named.stderr, /2 settings are missing or wrong:\n {2}ENCRYPTION_REQUIRED .*\n {2}TEMPORAL_ADDRESS /);
  });

  it('config says which of the variables of Temporal is wrong, as any command does', async () => {
    const TEMPORAL_TLS_SERVER_CA_CERT_PATH = join(folder, 'nowhere.pem');
    const missing = { HOME: folder, TEMPORAL_TLS: 'true', TEMPORAL_TLS_SERVER_CA_CERT_PATH };
    for (const line of ['role-build config', 'role-build list']) {
      const { code, stderr } = await $(line, { settings: missing });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /ENOENT.*nowhere\.pem' \(TEMPORAL_TLS_SERVER_CA_CERT_PATH\)$/m);
    }
    for (const [settings, said] of [
      [{ TEMPORAL_TLS: 'maybe' }, /^role-build: TEMPORAL_TLS must be true or false/m],
      [{ TEMPORAL_PROFILE: 'nope' }, /^role-build: TEMPORAL_PROFILE names none: Profile 'nope' not found/m],
    ] as const) {
      assert.match((await $('role-build config', { settings: { HOME: folder, ...settings } })).stderr, said);
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

  it('a profile that is called as what every object has is none', async () => {
    for (const TEMPORAL_PROFILE of ['constructor', '__proto__', 'toString', 'nope']) {
      const toml = join(folder, 'profiles.toml');
      await writeFile(toml, '[profile.default]\nnamespace = "roles"\n');
      const settings = { TEMPORAL_CONFIG_FILE: toml, TEMPORAL_PROFILE };
      const { code, stderr } = await $('role-build config', { settings });
      assert.equal(code, 2, TEMPORAL_PROFILE);
      assert.match(stderr, /Profile '\w+' not found/);
    }
  });

  it('a temporal.toml is read as UTF-8, or refused with its line and byte', async () => {
    const toml = join(folder, 'latin1.toml');
    await writeFile(toml, Buffer.from('[profile.default]\nnamespace = "Ren\u00e9e"\n', 'latin1'));
    for (const line of ['role-build list', 'role-build config']) {
      const { code, stderr } = await $(line, { settings: { TEMPORAL_CONFIG_FILE: toml } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /: line 2, byte 17: 0xE9 is not UTF-8; save it as UTF-8$/m);
    }
    await writeFile(toml, '\uFEFF[profile.default]\naddress = "t.example.com:7233"\n');
    const marked = await $('role-build config', { settings: { HOME: folder, TEMPORAL_CONFIG_FILE: toml } });
    assert.match(marked.screen, /^TEMPORAL_ADDRESS +(t\.example\.com:7233|127\.0\.0\.1:9) /m);
  });

  it('role-build keeps compiled code in a folder of its user alone, and none where others can write', () => {
    const cache = join(folder, '.cache');
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const run = (env: Record<string, string>) =>
      spawnSync(process.execPath, [PROGRAMS.client, '--version'], { env: { HOME: folder, TMPDIR: temporary, ...env } });
    assert.equal(run({}).status, 0);
    const kept = readdirSync(cache, { recursive: true, withFileTypes: true });
    assert.ok(kept.some((entry) => entry.isFile()));
    assert.equal(statSync(join(cache, 'iam-orchestrator', 'v8')).mode & 0o777, 0o700);

    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    assert.equal(run({ XDG_CACHE_HOME: shared }).status, 0);
    for (const path of [shared, temporary]) assert.deepEqual(readdirSync(path), []);
  });

  it('role-build does not read a temporal.toml or a file of AWS that others can write to: exit code 2, and what to do', async () => {
    const home = await mkdtemp(join(folder, 'home-'));
    const file = join(home, '.aws', 'config');
    mkdirSync(dirname(file));
    await writeFile(file, '[default]\ncredential_process = /tmp/run-me\n');
    chmodSync(file, 0o666);
    const said = `AWS_CONFIG_FILE is not set, and its default, ${file}, is not trusted: other users can write to ${file}`;
    for (const line of ['role-build list', 'role-build config']) {
      const { code, stderr } = await $(line, { settings: { HOME: home } });
      assert.equal(code, 2, stderr);
      assert.ok(stderr.includes(said), stderr);
    }
    await exitsWith(5, $('role-build list', { settings: { HOME: home, AWS_CONFIG_FILE: file } }));
  });

  it('help fits the terminal, and lists every command', async () => {
    const { code, screen, stderr } = await $('role-build --help', { terminal: { columns: 60, rows: 100 } });
    assert.equal(code, 0, stderr);
    for (const row of screen.split('\n').slice(0, 20)) assert.ok(row.length <= 60, row);
    for (const command of ['status', 'list', 'history', 'completion'])
      assert.match(screen, new RegExp(`^ {2}${command} `, 'm'));
    assert.doesNotMatch(screen, /^ {2}complete /m);
    const wide = await $('role-build watch --help', { terminal: TERMINAL });
    assert.match(wide.screen, /Example:\n {2}role-build watch/);
  });

  it('role-build completes commands, options, their values and files in bash, and evaluates nothing that is typed', async () => {
    const { screen: script } = await $('role-build completion bash');
    await writeFile(join(folder, 'input file.json'), '{}');
    const complete = (...typed: string[]) => {
      const words = ['role-build', ...typed];
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _role_build_completion; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const program = `role-build() { '${process.execPath}' '${PROGRAMS.client}' "$@"; }\n${script}\n${script}\n${ask}`;
      const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], { cwd: folder, encoding: 'utf8' });
      assert.equal(stderr, '');
      return stdout.trim().split('\n');
    };
    assert.deepEqual(complete('sta'), ['start', 'status']);
    assert.deepEqual(complete('list', '--st'), ['--status']);
    assert.deepEqual(complete('list', '--status', 'C'), ['COMPLETE', 'CANCELLED']);
    assert.deepEqual(complete('list', '--status', '=', 'F'), ['FAILED']);
    assert.deepEqual(complete('completion', ''), ['bash', 'zsh', 'fish']);
    assert.deepEqual(complete('start', '--input', 'inp'), ['input\\ file.json']);
    assert.deepEqual(complete('status', `$(touch pwned)`), ['']);
    assert.deepEqual(complete('start', '--input', 'pw'), ['']);
  });

  for (const [shell, marker] of [
    ['zsh', /^#compdef role-build/],
    ['fish', /complete -c role-build/],
  ] as const) {
    it(`role-build prints a completion script for ${shell}`, async () => {
      const { code, screen, stderr } = await $(`role-build completion ${shell}`);
      assert.equal(code, 0, stderr);
      assert.match(screen, marker);
    });
  }

  it('role-build waits for a pipe to be written to, and an interrupt ends that', async () => {
    const pipe = join(folder, 'silent.ndjson');
    execFileSync('mkfifo', [pipe]);
    for (const args of [
      ['batch', pipe],
      ['start', '--input', pipe],
    ]) {
      const program = spawn(process.execPath, [PROGRAMS.client, ...args], {
        stdio: 'ignore',
        timeout: 60_000,
        killSignal: 'SIGKILL',
      });
      let writer: number | undefined;
      await until('it reads', () => {
        try {
          writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
        } catch {
          // Nobody reads yet.
        }
        return writer !== undefined;
      });
      program.kill('SIGINT');
      assert.deepEqual(await once(program, 'exit'), [130, null]);
      closeSync(writer ?? 0);
    }
  });
});
