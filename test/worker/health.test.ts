import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startHealthServer } from '../../src/worker/health.ts';

const ANY = { host: '127.0.0.1', port: 0 };

describe('health', () => {
  let why: string | undefined;
  let server: Awaited<ReturnType<typeof startHealthServer>>;
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://${server.host}:${server.port}${path}`, { method });
    return [answer.status, (await answer.text()).trim()];
  };

  before(async () => {
    server = await startHealthServer(ANY, () => why);
  });
  after(() => server.close());

  it('health is alive whether it is ready or not', async () => {
    why = 'stopping';
    assert.deepEqual(await ask('/livez'), [200, 'ok']);
    assert.deepEqual(await ask('/readyz'), [503, 'stopping']);
    why = undefined;
    assert.deepEqual(await ask('/readyz?verbose'), [200, 'ok']);
    assert.deepEqual(await ask('/readyz', 'HEAD'), [200, '']);
  });

  it('health serves no other path and no other method', async () => {
    assert.equal((await ask('/'))[0], 404);
    assert.equal((await ask('/livez/'))[0], 404);
    assert.equal((await ask('/readyz', 'POST'))[0], 405);
  });
});
