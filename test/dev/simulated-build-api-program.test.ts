import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createSimulatedBuildApi, type Build } from '../../dev/simulated-build-api/server.ts';
import { api, headersOf, poll, post, until, url, useSimulatedBuildApi } from './simulated-build-api-fixture.ts';

useSimulatedBuildApi();

describe('the server', () => {
  it('the server describes itself and its controls at /', async () => {
    const answer = await fetch(url);
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    const page = await answer.text();
    for (const word of ['Simulated build API', '/_simulator/faults', '/_simulator/requests', 'simulate', 'delay_ms']) {
      assert.ok(page.includes(word), word);
    }
    assert.deepEqual(api.requests(), []);
  });

  it('the server closes at once, even connections that hang, wait, stream or are idle', async () => {
    api.putFaults({ trigger: [{ hang: true }, { delay_ms: 60_000 }, { bytes: Number.MAX_SAFE_INTEGER }] });
    const ends = [1, 2, 3].map((n) => assert.rejects(post({}, `request-${n}`).then((answer) => answer.text())));
    const idle = net.connect(Number(new URL(url).port), '127.0.0.1');
    const idleEnd = once(idle, 'close');
    await until(() => api.builds().length >= 3);
    const startMs = performance.now();
    await api.close();
    await Promise.all([...ends, idleEnd]);
    assert.ok(performance.now() - startMs < 30_000);
    await api.close();
  });

  it('the server can listen again and still has its builds', async () => {
    await post({ build_id: 'b' });
    await api.close();
    assert.equal(await api.listen(Number(new URL(url).port), '127.0.0.1'), url);
    assert.equal((await poll('b')).status, 200);
  });

  it('the server refuses a port that is taken', async () => {
    const second = createSimulatedBuildApi();
    await assert.rejects(second.listen(Number(new URL(url).port), '127.0.0.1'), { code: 'EADDRINUSE' });
  });
});

describe('the program', () => {
  const main = fileURLToPath(new URL('../../dev/simulated-build-api/main.ts', import.meta.url));

  async function run(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr] = [child.stdout, child.stderr].map((out) => out.setEncoding('utf8').toArray());
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout: ((await stdout) ?? []).join(''), stderr: ((await stderr) ?? []).join('') };
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`the program announces its URL on one line and stops cleanly on ${signal}, though a request hangs`, async () => {
      const child = spawn(process.execPath, [main, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = once(child, 'exit');
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const ready = JSON.parse(line) as { msg: string; url: string };
      assert.equal(ready.msg, 'simulated build API listening');
      assert.match(ready.url, /^http:\/\/127\.0\.0\.1:\d+$/);
      const hanging = fetch(`${ready.url}/build`, {
        method: 'POST',
        headers: headersOf('request-1'),
        body: '{"simulate":{"trigger":[{"hang":true}]}}',
      });
      const end = assert.rejects(hanging);
      while (((await (await fetch(`${ready.url}/_simulator/builds`)).json()) as Build[]).length === 0) await delay(10);
      child.kill(signal);
      assert.deepEqual(await exit, [0, null]);
      await end;
    });
  }

  it('the program prints its help', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Usage: .*--port/);
  });

  it('the program refuses bad usage and a port that is taken', async () => {
    for (const args of [['--port', '65536'], ['--port', 'x'], ['--prot', '1'], ['extra']]) {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /Usage: /);
    }
    const taken = await run(['--port', new URL(url).port]);
    assert.deepEqual([taken.code, taken.stdout], [1, '']);
    assert.match(taken.stderr, /EADDRINUSE/);
  });
});
