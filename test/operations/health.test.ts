import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startHealthServer, type HealthServer } from '../../src/operations/health.ts';
import { listenOrElse } from '../../src/operations/own-port.ts';

const ANY = { host: '127.0.0.1', port: 0 };

describe('health', () => {
  let why: string | undefined;
  let server: HealthServer;
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://${server.host}:${server.port}${path}`, { method });
    return [answer.status, (await answer.text()).trim()];
  };

  before(async () => {
    server = await startHealthServer(ANY, () => why);
  });
  after(() => server.close());

  test('is alive whether it is ready or not', async () => {
    why = 'stopping';
    assert.deepEqual(await ask('/livez'), [200, 'ok']);
    assert.deepEqual(await ask('/readyz'), [503, 'stopping']);
    why = undefined;
    assert.deepEqual(await ask('/readyz?verbose'), [200, 'ok']);
    assert.deepEqual(await ask('/readyz', 'HEAD'), [200, '']);
  });

  test('has nothing else, and can be told nothing', async () => {
    assert.equal((await ask('/'))[0], 404);
    assert.equal((await ask('/livez/'))[0], 404);
    assert.equal((await ask('/readyz', 'POST'))[0], 405);
  });

  test('listens on a free port where its default is taken, and on no other than was set', async () => {
    const taken = { host: server.host, port: server.port };
    const listen = (address: typeof ANY) => startHealthServer(address, () => undefined);
    const other = await listenOrElse(taken, false, listen);
    other.close();
    assert.notEqual(other.port, taken.port);
    await assert.rejects(listenOrElse(taken, true, listen), /EADDRINUSE/);
    await assert.rejects(listenOrElse({ host: '192.0.2.1', port: 0 }, false, listen), /EADDRNOTAVAIL/);
  });
});
