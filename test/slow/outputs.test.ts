/** Builds, workers and commands whose output nobody reads. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { freePort } from '../../dev/servers/ports.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';
import { PROGRAMS } from '../support/programs.ts';

describe('output that nobody reads', { concurrency: 2 }, () => {
  let stack: TestStack;
  let folder: string;
  let fifo: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    fifo = join(folder, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    stack = await startTestStack();
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  function run(args: readonly string[], input = '') {
    const env = { PATH: process.env['PATH'], ...stack.settings };
    const child = spawn(process.execPath, [PROGRAMS.client, ...args], { env, stdio: 'pipe' });
    child.stdin.end(input);
    return { child, ended: once(child, 'exit') as Promise<[number]> };
  }

  /** A worker on its own task queue that logs to the given file. */
  async function startWorker(queue: string, output: number) {
    const port = await freePort();
    const env = {
      PATH: process.env['PATH'],
      ...stack.settings,
      ROLE_BUILD_TASK_QUEUE: queue,
      HEALTH_ADDRESS: `127.0.0.1:${port}`,
      LOG_LEVEL: 'trace',
    };
    const child = spawn(process.execPath, [PROGRAMS.worker], { env, stdio: ['ignore', output, output] });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until('it is ready', async () => child.exitCode !== null || (await isReady()));
    assert.equal(child.exitCode, null, 'it has ended');
    return { child, ended };
  }

  for (const [what, name, open] of [
    ['on a full disk', 'full', () => openSync('/dev/full', 'w')],
    // Opened for reading and writing, so that neither end is closed.
    ['into a pipe that nobody empties', 'pipe', () => openSync(fifo, 'r+')],
  ] as const) {
    it(`a worker that logs ${what} does its builds and stops`, async () => {
      const fd = open();
      const { child, ended } = await startWorker(name, fd);
      const settings = { ROLE_BUILD_TASK_QUEUE: name };
      // So many that their log is larger than a pipe's buffer, 64 KiB.
      const inputs = Array.from({ length: 20 }, (_, i) => inputFor(stack, `logged-${name}-${i}`, { polls: 3 }));
      const stdin = inputs.map((input) => JSON.stringify(input)).join('\n');
      const batch = ['batch', '-', '--wait', '--report', join(folder, `${name}.ndjson`)];
      const { code, stdout, stderr } = await stack.cli(batch, { stdin, settings });
      assert.equal(code, 0, stdout + stderr);
      child.kill('SIGTERM');
      assert.deepEqual(await ended, [0, null]);
      if (name === 'pipe') {
        const again = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
        assert.throws(() => writeSync(again, Buffer.alloc(4_096)), { code: 'EAGAIN' }, 'the pipe is full');
        closeSync(again);
      }
      closeSync(fd);
    });
  }

  it('start --wait ends as usual if nobody reads its stderr', async () => {
    await stack.startWorker();
    const input = JSON.stringify(inputFor(stack, 'nobody-listens', { polls: 5 }));
    const { child, ended } = run(['start', '--input', '-', '--wait', '--json'], input);
    await once(child.stderr, 'data');
    child.stderr.destroy();
    const [stdout, [code]] = await Promise.all([text(child.stdout), ended]);
    assert.equal(code, 0);
    assert.equal((JSON.parse(stdout) as { status: string }).status, 'COMPLETE');
  });

  it('start still starts the build if nobody reads its stdout', async () => {
    const input = inputFor(stack, 'nobody-reads', { polls: 0 });
    const { child, ended } = run(['start', '--input', '-', '--wait'], JSON.stringify(input));
    child.stdout.destroy();
    const [stderr, [code]] = await Promise.all([text(child.stderr), ended]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /\nended: COMPLETE\n$/);
    assert.equal((await stack.records(input)).status?.['status']?.S, 'COMPLETE');
  });

  it('a batch still starts and follows all of its builds if nobody reads its output', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `batched-${i}`);
    const lines = names.map((name) => JSON.stringify(inputFor(stack, name, { polls: 0 }))).join('\n');
    const report = join(folder, 'report.ndjson');
    const { child, ended } = run(['batch', '-', '--wait', '--report', report], lines);
    child.stdout.destroy();
    child.stderr.destroy();
    assert.deepEqual(await ended, [0, null]);
    const reported = (await readFile(report, 'utf8')).trimEnd().split('\n');
    assert.equal(reported.filter((line) => line.includes('"status":"COMPLETE"')).length, names.length);
  });

  it('watch exits quietly if nobody reads its output, and leaves the build running', async () => {
    const input = inputFor(stack, 'watched', { outcome: 'NEVER' });
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    const listed = () => stack.cli(['list', '--role', 'watched', '--json']);
    await until('Temporal lists it', async () => (await listed()).stdout !== '');
    for (const args of [
      ['watch', ACCOUNT, 'iam_role#watched'],
      ['watch', '--role', 'watched', '--json'],
    ]) {
      const { child, ended } = run(args);
      await once(child.stdout, 'data');
      child.stdout.destroy();
      const [stderr, [code]] = await Promise.all([text(child.stderr), ended]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
    }
    const cancel = await stack.cli(['cancel', ACCOUNT, 'iam_role#watched']);
    assert.equal(cancel.code, 0, cancel.stderr);
  });

  it('list prints the last of many builds to a slow reader before it exits', async () => {
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ namespace: stack.temporal.namespace, connection });
    const names = Array.from({ length: 300 }, (_, i) => `listed-${i}`);
    await Promise.all(names.map((name) => startRoleBuild(client, inputFor(stack, name), { taskQueue: 'nobody' })));
    const query = `CustomRoleName STARTS_WITH 'listed-'`;
    await until('visibility has them', async () => (await client.workflow.count(query)).count === names.length);
    await connection.close();
    const { child, ended } = run(['list', '--limit', '0', '--json', '--query', query]);
    let [lines, last] = [0, ''];
    for await (const chunk of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      lines += chunk.split('\n').length - 1;
      last = chunk;
      // The reader takes longer than the program would take to exit.
      await delay(500);
    }
    assert.deepEqual(await ended, [0, null]);
    assert.equal(lines, names.length);
    assert.ok(last.endsWith('}\n'));
  });
});
