/** How a worker starts: its addresses, early signals, and its log on a terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { LOOPBACK } from '../support/loopback.ts';
import { readMetrics } from '../support/metrics-page.ts';
import { PROGRAMS } from '../support/programs.ts';
import { startTestStack, until, type TestStack } from '../support/stack.ts';

const WORKER = fileURLToPath(new URL('../../src/worker.ts', import.meta.url));
const PSEUDO_TERMINAL = fileURLToPath(new URL('../../dev/pseudo_terminal.py', import.meta.url));

describe('the worker', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  it("the worker names the setting whose address it can't listen on", async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    for (const [name, address, why] of [
      ['METRICS_ADDRESS', `127.0.0.1:${port}`, /address already in use/i],
      ['METRICS_ADDRESS', 'nowhere.invalid:9464', /ENOTFOUND|EAI_AGAIN/],
      ['HEALTH_ADDRESS', `127.0.0.1:${port}`, /EADDRINUSE/],
    ] as const) {
      const worker = spawn(process.execPath, [WORKER], {
        env: { PATH: process.env['PATH'], ...stack.settings, METRICS_ADDRESS: '127.0.0.1:0', [name]: address },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      worker.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
      const [code] = (await once(worker, 'close')) as [number];
      assert.equal(code, 1);
      assert.match(output, new RegExp(`${name}: can't listen on ${address.replace(':', ', port ')}: `));
      assert.match(output, why);
    }
    taken.close();
  });

  it('the worker listens on addresses given as host names', async () => {
    const settings = { METRICS_ADDRESS: 'localhost:0', HEALTH_ADDRESS: 'localhost:0' };
    const worker = await stack.startWorker({ settings });
    try {
      assert.equal((await readMetrics(worker.metricsUrl)).sum('role_build_polls_total'), 0);
      assert.equal((await fetch(`${worker.healthUrl}/livez`)).status, 200);
    } finally {
      await worker.stop();
    }
  });

  it('the worker answers on every IPv4 and IPv6 address if it is told 0.0.0.0 or [::]', async () => {
    const worker = await stack.startWorker({ settings: { METRICS_ADDRESS: '0.0.0.0:0', HEALTH_ADDRESS: '[::]:0' } });
    const at = (url: string, host: string) => url.replace(/\/\/.*:/, `//${host}:`);
    try {
      for (const host of LOOPBACK) {
        assert.equal((await readMetrics(at(worker.metricsUrl, host))).sum('role_build_polls_total'), 0, host);
        assert.equal((await fetch(`${at(worker.healthUrl, host)}/livez`)).status, 200, host);
      }
    } finally {
      await worker.stop();
    }
  });

  it('the worker exits on a SIGTERM that comes while it loads its modules', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const sayWhenItListens = `data:text/javascript,${encodeURIComponent(`
      import { registerHooks } from 'node:module';
      const urls = [];
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
      process.on('newListener', function say(name) {
        if (name !== 'SIGTERM') return;
        process.off('newListener', say).stderr.write(JSON.stringify(urls));
      });
    `)}`;
    const worker = spawn(process.execPath, ['--import', sayWhenItListens, WORKER], {
      env: { PATH: process.env['PATH'], ...stack.settings, TEMPORAL_ADDRESS: `127.0.0.1:${port}` },
    });
    let output = '';
    worker.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    const [listening] = (await once(worker.stderr, 'data')) as [Buffer];
    worker.kill('SIGTERM');
    const loaded = (JSON.parse(listening.toString()) as string[]).map((url) => url.slice(url.lastIndexOf('/') + 1));
    assert.deepEqual(loaded, ['worker.ts', 'signals.ts']);
    assert.deepEqual(await once(worker, 'close'), [0, null]);
    assert.ok(!output.includes('worker polling'), output);
    silent.close();
  });

  it('the worker exits on a SIGTERM that comes before it has connected', async () => {
    const asSoonAsItStopsCleanly = `data:text/javascript,${encodeURIComponent(`
      let listeners = 0;
      process.on('newListener', (name) => {
        if (name === 'SIGTERM' && ++listeners === 2) queueMicrotask(() => process.emit('SIGTERM', 'SIGTERM'));
      });
    `)}`;
    const worker = spawn(process.execPath, ['--import', asSoonAsItStopsCleanly, WORKER], {
      env: { PATH: process.env['PATH'], ...stack.settings },
      timeout: 30_000,
    });
    const [output, ended] = await Promise.all([text(worker.stdout), once(worker, 'close')]);
    assert.deepEqual(ended, [0, null], output);
    assert.match(output, /worker stopping/);
    assert.doesNotMatch(output, /worker polling/);
  });

  it('the worker does not poll while AWS refuses its tables', async (t) => {
    const settings = { STATUS_TABLE: 'misspelled', ROLE_BUILD_TASK_QUEUE: 'misspelled' };
    const worker = spawn(process.execPath, [PROGRAMS.worker], {
      env: { PATH: process.env['PATH'], ...stack.settings, ...settings },
    });
    t.after(() => worker.kill('SIGKILL'));
    let output = '';
    worker.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    await until('it has asked twice', () => output.split('the DynamoDB tables could not be read').length > 2);
    const port = /"port":(\d+),"msg":"health listening"/.exec(output)?.[1];
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
    assert.deepEqual(
      [ready.status, await ready.text()],
      [503, 'AWS refuses the DynamoDB tables: ResourceNotFoundException\n'],
    );
    assert.doesNotMatch(output, /worker polling|"state":"RUNNING"/);
    worker.kill('SIGTERM');
    assert.deepEqual(await once(worker, 'close'), [0, null]);
  });

  it("the worker's log is readable for people on a terminal", async () => {
    const env = { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', ...stack.settings };
    const child = spawn('python3', [PSEUDO_TERMINAL, '120', '30', process.execPath, PROGRAMS.worker], {
      env,
      stdio: 'pipe',
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    await until('it polls', () => output.includes('worker polling'));
    child.stdin.write('kill SIGTERM\n');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    assert.ok(!output.includes('{"level"'), output);
    assert.match(output, /INFO.*: .*worker stopped/);
  });
});
