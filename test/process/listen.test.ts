import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { listen } from '../../src/process/listen.ts';
import { nativeAddress } from '../../src/worker/metrics.ts';
import { hostPort } from '../../src/config/values.ts';
import { LOOPBACK } from '../support/loopback.ts';

function serve(t: TestContext): Server {
  const server = createServer((_request, response) => response.end('ok'));
  t.after(() => server.close().closeAllConnections());
  return server;
}

const ask = async (host: string, port: number) => (await fetch(`http://${host}:${port}`)).text();

describe('every address', () => {
  for (const value of ['0.0.0.0:0', '[::]:0', '[0:0::0]:0']) {
    it(`every address ${value} answers by IPv4 and by IPv6`, async (t) => {
      const { port } = await listen(serve(t), hostPort(value));
      for (const host of LOOPBACK) assert.equal(await ask(host, port), 'ok', host);
    });

    it(`every address ${value} answers by IPv4 on a machine without IPv6, and is reported as 0.0.0.0`, async (t) => {
      withoutIPv6(t);
      const { host, port } = await listen(serve(t), hostPort(value));
      assert.equal(host, '0.0.0.0');
      assert.equal(await ask('127.0.0.1', port), 'ok');
      assert.equal((await nativeAddress(hostPort(value))).host, '0.0.0.0');
    });
  }

  it('only 0.0.0.0 and [::] mean every address', async (t) => {
    assert.equal((await listen(serve(t), hostPort('127.0.0.1:0'))).host, '127.0.0.1');
    const { port } = await listen(serve(t), { host: 'localhost', port: 0 });
    assert.ok(port > 0);
  });

  it('every address is refused if its port is taken', async (t) => {
    const holder = serve(t);
    const { port } = await listen(holder, hostPort('0.0.0.0:0'));
    await assert.rejects(listen(serve(t), { host: '0.0.0.0', port }), /EADDRINUSE/);
    await assert.rejects(nativeAddress({ host: '::', port }), /EADDRINUSE/);
    holder.close();
    await once(holder, 'close');
    assert.equal((await nativeAddress({ host: '::', port })).port, port);
  });
});

/** The error of a Linux that was booted with `ipv6.disable=1`. */
function withoutIPv6(t: TestContext): void {
  const { binding } = process as unknown as { binding(name: string): { TCP: { prototype: { bind6(): number } } } };
  const EAFNOSUPPORT = -97;
  t.mock.method(binding('tcp_wrap').TCP.prototype, 'bind6', () => EAFNOSUPPORT);
}
