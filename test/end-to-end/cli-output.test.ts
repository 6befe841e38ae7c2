/** Output to readers that are slow or stop, and to full disks: real programs, pipes and files. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from '../support/programs.ts';

const PRINT_LINES = fileURLToPath(new URL('../support/print-lines.ts', import.meta.url));

describe('output', { concurrency: 2 }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Runs a line of sh, in which `$node` is Node.js and `$role_build` the command line. */
  async function sh(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = { PATH: process.env['PATH'], HOME: folder, node: process.execPath, role_build: PROGRAMS.client };
    const child = spawn('/bin/sh', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close') as Promise<[number]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, stdout, stderr };
  }

  function printLines(lines: number): ChildProcess & { stdout: Readable; stderr: Readable } {
    return spawn(process.execPath, [PRINT_LINES, String(lines)], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  it('output reaches a slow reader to the last line, and is not held in memory meanwhile', async () => {
    const child = printLines(2_000);
    const errors = text(child.stderr);
    let [read, bytes] = ['', 0];
    for await (const chunk of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      read = chunk;
      bytes += chunk.length;
      await delay(5);
    }
    assert.ok(bytes > 2_000_000, `${bytes} bytes`);
    assert.match(read, /"line":2000,[^\n]*\n$/);
    const held = Number(/^held (\d+)$/m.exec(await errors)?.[1]);
    assert.ok(held < 200_000, `held ${held} bytes`);
  });

  it('a command exits 0 without an error when its reader stops', async () => {
    const { stdout, stderr, code } = await sh('{ "$node" "$role_build" config; echo "ended $?" >&2; } | head -n 1');
    assert.deepEqual({ code, stderr }, { code: 0, stderr: 'ended 0\n' });
    assert.match(stdout, /^SETTING/);
  });

  for (const command of ['config', 'config --json', '--help', '--version', 'completion bash']) {
    it(`${command} prints one line and exits 5 on a full disk`, async () => {
      const { code, stderr } = await sh(`"$node" "$role_build" ${command} > /dev/full`);
      assert.equal(code, 5, stderr);
      assert.equal(stderr, "role-build: the result can't be written: ENOSPC: no space left on device, write\n");
    });
  }

  it('output is complete, or the command says that it was cut off, if a file takes only a part', async () => {
    // A block of ulimit is 512 bytes in some shells, 1,024 in others.
    const { code, stderr } = await sh('ulimit -f 2; "$node" "$role_build" config > cut-off');
    assert.equal(code, 5, stderr);
    assert.match(stderr, /^role-build: the result can't be written: EFBIG: .*\n$/);
    assert.match(String((await readFile(join(folder, 'cut-off'))).length), /^(1024|2048)$/);
  });

  it('a command keeps its exit code when stderr is full or closed', async () => {
    for (const to of ['/dev/full', '&-']) {
      const { code, stdout } = await sh(`"$node" "$role_build" config 2>${to}`);
      assert.equal(code, 0, to);
      assert.match(stdout, /^SETTING/);
      assert.equal((await sh(`"$node" "$role_build" strat 2>${to}`)).code, 2, to);
    }
    const noReader = await sh('exec 3>&1; { "$node" "$role_build" strat 2>&1; echo $? >&3; } | true');
    assert.deepEqual(noReader, { code: 0, stdout: '2\n', stderr: '' });
  });

  it('a command does not fail when stdout is closed', async () => {
    assert.deepEqual(await sh('"$node" "$role_build" config >&-'), { code: 0, stdout: '', stderr: '' });
  });
});
