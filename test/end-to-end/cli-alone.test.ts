import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { documents, TERMINAL } from '../support/cli-session.ts';
import { PROGRAMS } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { exitsWith } from '../support/exits-with.ts';
import { sessionAlone } from '../support/session-alone.ts';

describe('the command line without any service', { concurrency: 4 }, () => {
  const on = sessionAlone();
  const { $ } = on;

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
    it(`${line} exits 2 and suggests what was meant`, async () => {
      const { code, screen, stderr } = await $(line);
      assert.equal(code, 2, stderr);
      assert.equal(screen, '');
      assert.match(stderr, hint);
      const [json] = documents(await $(`${line} --json`));
      assert.equal(json?.['error'], 'usage');
    });
  }

  it("role-build says what happened, why, and what to try, if it can't reach a service", async () => {
    const { code, screen, stderr } = await $('role-build list');
    assert.equal(code, 5, stderr);
    assert.equal(screen, '');
    assert.match(stderr, /^role-build: Temporal can't be reached at 127\.0\.0\.1:9: .*\ntry: role-build config /);
    const quiet = await $('role-build list --quiet --json');
    assert.equal(quiet.stderr, stderr, '--quiet keeps no failure back');
    assert.equal(documents(quiet)[0]?.['error'], 'unreachable');
  });

  it('role-build keeps compiled code in a folder of its user only, and none where others can write', () => {
    const cache = join(on.home, '.cache');
    const temporary = join(on.home, 'tmp');
    mkdirSync(temporary);
    const run = (env: Record<string, string>) =>
      spawnSync(process.execPath, [PROGRAMS.client, '--version'], {
        env: { HOME: on.home, TMPDIR: temporary, ...env },
      });
    assert.equal(run({}).status, 0);
    const kept = readdirSync(cache, { recursive: true, withFileTypes: true });
    assert.ok(kept.some((entry) => entry.isFile()));
    assert.equal(statSync(join(cache, 'iam-orchestrator', 'v8')).mode & 0o777, 0o700);

    const shared = join(on.home, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    assert.equal(run({ XDG_CACHE_HOME: shared }).status, 0);
    for (const path of [shared, temporary]) assert.deepEqual(readdirSync(path), []);
  });

  it('role-build refuses a temporal.toml or an AWS file that others can write to: exit code 2, and what to do', async () => {
    const home = await mkdtemp(join(on.home, 'home-'));
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

  it('role-build completes commands, options, values and files in bash, and evaluates nothing that is typed', async () => {
    const { screen: script } = await $('role-build completion bash');
    await writeFile(join(on.home, 'input file.json'), '{}');
    const complete = (...typed: string[]) => {
      const words = ['role-build', ...typed];
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _role_build_completion; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const program = `role-build() { '${process.execPath}' '${PROGRAMS.client}' "$@"; }\n${script}\n${script}\n${ask}`;
      const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], { cwd: on.home, encoding: 'utf8' });
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

  it('role-build waits for input from a pipe, and an interrupt ends the wait', async () => {
    const pipe = join(on.home, 'silent.ndjson');
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
          // Nobody has opened the pipe for reading yet.
        }
        return writer !== undefined;
      });
      program.kill('SIGINT');
      assert.deepEqual(await once(program, 'exit'), [130, null]);
      closeSync(writer ?? 0);
    }
  });
});
