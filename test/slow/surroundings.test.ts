/** Processes whose user has no name and no home, and no folder to write to. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ACCOUNT, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

const CLIENT = fileURLToPath(new URL('../../src/client.ts', import.meta.url));
/** A user ID without an account. */
const UID = 54_321;

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root can become another user';
  const { status } = spawnSync(process.execPath, ['--check', CLIENT], { uid: UID, gid: UID, cwd: '/', env: {} });
  return status !== 0 && 'others can not read this checkout';
}

describe(
  'with a user ID that has no name, no HOME, and only AWS_DEFAULT_REGION',
  {
    skip: whyNot(),
  },
  () => {
    let stack: TestStack;
    before(async () => {
      stack = await startTestStack();
      await stack.startWorker();
    });
    after(() => stack.stop());

    async function cli(args: readonly string[], settings: Record<string, string> = {}, stdin = '') {
      const { AWS_REGION = '', ...others } = stack.settings;
      const env = { ...others, AWS_DEFAULT_REGION: AWS_REGION, TMPDIR: '/dev/null', ...settings };
      const child = spawn(process.execPath, [CLIENT, ...args], { env, uid: UID, gid: UID, cwd: '/', stdio: 'pipe' });
      child.stdin.on('error', () => {
        // The program may exit before it has read its stdin.
      });
      child.stdin.end(stdin);
      const ended = once(child, 'close') as Promise<[number]>;
      const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      return { stdout, stderr, code };
    }

    it('a user ID without a name and HOME can start, run and view a build, with AWS_DEFAULT_REGION alone', async () => {
      const stdin = JSON.stringify(inputFor(stack, 'nameless', { polls: 0 }));
      const started = await cli(['start', '--input', '-', '--wait', '--json'], {}, stdin);
      assert.equal(started.code, 0, started.stderr);
      assert.equal((JSON.parse(started.stdout) as { status: string }).status, 'COMPLETE');
      for (const args of [
        ['setup'],
        ['status', ACCOUNT, 'iam_role#nameless'],
        ['watch', ACCOUNT, 'iam_role#nameless'],
        ['history', ACCOUNT],
        ['list'],
        ['open', ACCOUNT, 'iam_role#nameless'],
        ['doctor'],
        ['config'],
        ['completion', 'bash'],
      ]) {
        const { code, stderr } = await cli(args);
        assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      }
    });

    it('a command that needs a writable folder says so in one line, and how to give it one', async () => {
      const line = `${JSON.stringify(inputFor(stack, 'listed', { polls: 0 }))}\n`;
      for (const [args, message] of [
        [['batch', '-'], /can't be copied to \/dev\/null: ENOTDIR.*\ntry: TMPDIR /],
        [['batch', '/dev/null/roles.csv'], /the batch can't be read/],
      ] as const) {
        const { code, stderr } = await cli(args, {}, line);
        assert.ok(code === 2 || code === 5, `${code}: ${stderr}`);
        assert.match(stderr, message);
        assert.doesNotMatch(stderr, /^ +at /m);
      }
      const { code, stderr } = await cli(['batch', '-'], { TMPDIR: '/tmp' }, line);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^role-build: the report can't be written: EACCES.*\ntry: --report FILE/);
      const elsewhere = await cli(['batch', '-', '--report', '/dev/null'], { TMPDIR: '/tmp' }, line);
      assert.doesNotMatch(elsewhere.stderr, /^ +at /m);
    });

    it('a command does without a folder in which nothing can be made, as under /proc', async () => {
      for (const settings of [{ XDG_CACHE_HOME: '/proc/none' }, { HOME: '/proc/none' }, { HOME: 'none' }]) {
        assert.equal((await cli(['list'], settings)).code, 0, JSON.stringify(settings));
      }
    });

    it("a command names a home of another user that it can't read", async () => {
      const { code, stderr } = await cli(['list'], { HOME: '/root' });
      assert.ok(code === 0 || code === 2, stderr);
      if (code === 2) assert.match(stderr, /temporal\.toml: EACCES: permission denied, open '\/root\/.*\n(.*\n)?try: /);
    });
  },
);
