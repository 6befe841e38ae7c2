import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { LOOPBACK } from '../support/loopback.ts';
import { readMetrics } from '../support/metrics-page.ts';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

const WORKER = fileURLToPath(new URL('../../src/worker.ts', import.meta.url));

describe('the worker', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.stop());

  it('the worker does not start with missing or wrong settings, and names every one', () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [WORKER], {
      env: { PATH: process.env['PATH'], BUILD_API_TIMEOUT_SECONDS: '61', LOG_LEVEL: 'loud' },
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.equal(stdout, '');
    for (const name of ['API_ALB_FQDN', 'BUILD_API_ALLOWED_ORIGINS', 'BUILD_API_TIMEOUT_SECONDS', 'LOG_LEVEL']) {
      assert.match(stderr, new RegExp(`^ {2}${name} `, 'm'));
    }
    assert.doesNotMatch(stderr, /^\s+at /m);
  });

  it('the worker names the setting whose address it can not listen on', async () => {
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

  it('the worker takes names as addresses', async () => {
    const settings = { METRICS_ADDRESS: 'localhost:0', HEALTH_ADDRESS: 'localhost:0' };
    const worker = await stack.startWorker({ settings });
    try {
      assert.equal((await readMetrics(worker.metricsUrl)).sum('role_build_polls_total'), 0);
      assert.equal((await fetch(`${worker.healthUrl}/livez`)).status, 200);
    } finally {
      await worker.stop();
    }
  });

  it('the worker answers on every address, of IPv4 and of IPv6, if it is told 0.0.0.0 or [::]', async () => {
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

  it('the worker hears SIGTERM before it has loaded all else, and ends', async () => {
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

  it('the worker lets a POST under way finish on SIGTERM, exits 0, and the next worker ends the build without another POST', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'sigterm', { polls: 0, trigger: [{ delay_ms: 3_000 }] });
    const ended = stack.build(input);
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length === 1);
    process.kill(worker.pid, 'SIGTERM');
    assert.equal(await worker.exited, 0);
    assert.notEqual(stack.buildApi.requests(input.correlation_id)[0]?.answered_at, null);
    const next = await stack.startWorker();
    const { json } = await ended;
    await next.stop();
    assert.equal(json['status'], 'COMPLETE');
    assert.equal(stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST').length, 1);
  });

  it('the worker takes a second SIGTERM within a second for the first, and ends at once at a later one', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'twice', { trigger: [{ delay_ms: 20_000 }] });
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length === 1);
    process.kill(worker.pid, 'SIGTERM');
    process.kill(worker.pid, 'SIGTERM');
    await until('it has logged that it stops', () => worker.output().includes('worker stopping'));
    const heardAt = performance.now();
    await until('more than a second has passed', () => performance.now() - heardAt > 1_200);
    assert.equal(worker.hasExited(), false);
    process.kill(worker.pid, 'SIGTERM');
    // One that lets the POST finish ends with 0.
    assert.equal(await worker.exited, 1);
  });

  it('the worker killed between the POST and its recorded answer: the next worker asks again with the same request ID, one build', async () => {
    const worker = await stack.startWorker();
    const input = inputFor(stack, 'killed', { polls: 0, trigger: [{ delay_ms: 20_000 }] });
    const ended = stack.build(input);
    await until('the POST is under way', () => stack.buildApi.requests(input.correlation_id).length === 1);
    await worker.kill();
    await stack.startWorker();
    const { json } = await ended;
    assert.equal(json['status'], 'COMPLETE');
    const posts = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
    assert.equal(posts.length, 2);
    assert.equal(stack.buildApi.builds().filter((build) => build.correlation_id === input.correlation_id).length, 1);
  });
});
