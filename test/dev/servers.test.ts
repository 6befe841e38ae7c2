import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { access, constants, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { Connection } from '@temporalio/client';
import { installOnce } from '../../dev/servers/cache.ts';
import { startDynamoDb, type DynamoDbKind } from '../../dev/servers/dynamodb.ts';
import { freePort, isPortFree } from '../../dev/servers/ports.ts';
import { findTemporalCli, findTimeSkippingServer } from '../../dev/servers/temporal-binaries.ts';
import { startTemporalServer } from '../../dev/servers/temporal-server.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'servers-test-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function setVariable(t: TestContext, name: string, value: string): void {
  const old = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (old === undefined) delete process.env[name];
    else process.env[name] = old;
  });
}

async function takenPort(t: TestContext): Promise<number> {
  const holder = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  t.after(() => holder.close());
  return port;
}

describe('ports', () => {
  it('ports are free and below the ephemeral range', async () => {
    for (let i = 0; i < 50; i++) {
      const port = await freePort();
      assert.ok(port >= 10_000 && port <= 28_000, `${port}`);
    }
  });

  it('ports are not free while something listens on them', async (t) => {
    assert.equal(await isPortFree(await takenPort(t)), false);
  });
});

describe('cache', () => {
  it('cache fills a folder once for concurrent callers', async (t) => {
    setVariable(t, 'ROLE_BUILD_CACHE_DIR', join(folder, 'once'));
    let fills = 0;
    const fill = async (partial: string) => {
      fills++;
      await delay(50);
      await writeFile(join(partial, 'file'), 'whole');
    };
    const found = await Promise.all([1, 2, 3].map(() => installOnce('thing', fill)));
    assert.deepEqual(new Set(found), new Set([join(folder, 'once', 'thing')]));
    assert.equal(fills, 1);
    assert.deepEqual(await readdir(join(folder, 'once')), ['thing']);
  });

  it('cache keeps nothing of a failed fill, and fills the folder the next time', async (t) => {
    const cache = join(folder, 'failed');
    setVariable(t, 'ROLE_BUILD_CACHE_DIR', cache);
    const failure = installOnce('thing', async (partial) => {
      await writeFile(join(partial, 'file'), 'half');
      throw new Error('no network');
    });
    await assert.rejects(failure, /no network/);
    assert.deepEqual(await readdir(cache), []);
    assert.ok(existsSync(await installOnce('thing', async () => {})));
  });

  it('cache does not wait for a process that is gone', { timeout: 60_000 }, async (t) => {
    setVariable(t, 'ROLE_BUILD_CACHE_DIR', folder);
    await writeFile(join(folder, 'abandoned.lock'), '999999999');
    assert.ok(existsSync(await installOnce('abandoned', async () => {})));
  });
});

describe('executables of Temporal', () => {
  it('executables of Temporal are the same for two concurrent callers and for a later one', async () => {
    for (const find of [findTemporalCli, findTimeSkippingServer]) {
      const [first, second] = await Promise.all([find(), find()]);
      assert.equal(first, second);
      await access(first, constants.X_OK);
      assert.equal(await find(), first);
    }
  });

  it('executables of Temporal are refused if the variable names something else', async (t) => {
    setVariable(t, 'TEMPORAL_CLI', join(folder, 'nothing'));
    await assert.rejects(findTemporalCli(), /TEMPORAL_CLI is ".*nothing", which is not an executable file/);
  });
});

describe("Temporal's dev server", () => {
  it("Temporal's dev server answers for its namespace once started, with its search attributes, and is gone when killed", async () => {
    const server = await startTemporalServer({ namespace: 'builds', searchAttributes: { AccountId: 'Keyword' } });
    try {
      const connection = await Connection.connect({ address: server.address });
      const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'builds' });
      assert.equal(namespaceInfo?.name, 'builds');
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'builds' });
      assert.ok(customAttributes?.['AccountId'] !== undefined);
      await connection.close();
      assert.equal((await fetch(server.uiUrl as string)).status, 200);
    } finally {
      await server.kill();
    }
    assert.equal(await server.exited, null);
    assert.ok(await isPortFree(Number(server.address.split(':')[1])));
  });

  it("Temporal's dev server stops cleanly and keeps state and log in the files given", async () => {
    const [dbFile, log] = [join(folder, 'temporal.db'), join(folder, 'temporal.log')];
    const port = await freePort();
    for (let start = 1; start <= 2; start++) {
      const server = await startTemporalServer({ port, uiPort: false, dbFile, log });
      assert.equal(server.address, `127.0.0.1:${port}`);
      assert.equal(server.uiUrl, undefined);
      await server.stop();
      assert.equal(await server.exited, 0);
    }
    assert.ok(existsSync(dbFile));
    assert.match(await readFile(log, 'utf8'), /Temporal/);
  });

  it("Temporal's dev server is started again if it crashed at start", async (t) => {
    const marker = join(folder, 'crashed');
    const cli = join(folder, 'crashes-once');
    const script = `#!/bin/sh\nmkdir '${marker}' && exit 2\nexec '${await findTemporalCli()}' "$@"\n`;
    await writeFile(cli, script, { mode: 0o755 });
    setVariable(t, 'TEMPORAL_CLI', cli);
    const server = await startTemporalServer();
    await server.kill();
    assert.ok(existsSync(marker));
  });

  it("Temporal's dev server fails with its output if it keeps ending at start", async (t) => {
    const cli = join(folder, 'fails');
    await writeFile(cli, '#!/bin/sh\necho out of luck >&2\nexit 7\n', { mode: 0o755 });
    setVariable(t, 'TEMPORAL_CLI', cli);
    await assert.rejects(startTemporalServer(), /ended at start \(exit code 7\):\nout of luck/);
  });

  it("Temporal's dev server does not start on a port that is taken", async (t) => {
    const port = await takenPort(t);
    await assert.rejects(startTemporalServer({ port }), new RegExp(`port ${port} of 127.0.0.1 is taken`));
  });
});

describe('DynamoDB', () => {
  const kinds: DynamoDbKind[] = ['dynalite'];
  if (process.env['DYNAMODB'] === 'dynamodb-local') kinds.push('dynamodb-local');

  for (const kind of kinds) {
    it(`DynamoDB ${kind} keeps an item until it is stopped`, async () => {
      const server = await startDynamoDb({ kind });
      assert.equal(server.kind, kind);
      const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
      const client = new DynamoDBClient({
        endpoint: server.endpoint,
        region: 'eu-west-1',
        credentials,
        maxAttempts: 1,
      });
      const get = new GetItemCommand({ TableName: 'builds', Key: { id: { S: 'one' } } });
      try {
        const table = new CreateTableCommand({
          TableName: 'builds',
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          BillingMode: 'PAY_PER_REQUEST',
        });
        await client.send(table);
        const item = { id: { S: 'one' }, count: { N: '1' } };
        await client.send(new PutItemCommand({ TableName: 'builds', Item: item }));
        const { Item } = await client.send(get);
        assert.deepEqual(Item, item);
      } finally {
        await server.stop();
      }
      await assert.rejects(client.send(get));
      client.destroy();
    });
  }

  it('DynamoDB is refused if the variable names an unknown kind', async (t) => {
    setVariable(t, 'DYNAMODB', 'postgres');
    await assert.rejects(startDynamoDb(), /DYNAMODB is "postgres"; it may be dynalite or dynamodb-local/);
  });
});
