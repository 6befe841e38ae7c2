/** A real worker sends requests to listed origins only, and through no proxy that is not set for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { ROLE_BUILD_WORKFLOW_TYPE, workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { buildIdTricks, urlTricks } from '../support/url-tricks.ts';
import { ACCOUNT, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

/** A server that nothing may reach. It counts requests. */
async function startTrap(): Promise<{ address: string; reached: () => number; stop: () => Promise<void> }> {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    reached: () => connections,
    stop: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a worker', { concurrency: 4 }, () => {
  let stack: TestStack;
  let trap: Awaited<ReturnType<typeof startTrap>>;
  let connection: Connection;
  let client: Client;

  before(async () => {
    trap = await startTrap();
    stack = await startTestStack();
    // This stack's processes have every variable that names a proxy.
    for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
      stack.settings[name] = stack.settings[name.toUpperCase()] = `http://${trap.address}`;
    }
    stack.settings['NODE_USE_ENV_PROXY'] = '1';
    await stack.startWorker();
    connection = await Connection.connect({ address: stack.temporal.address });
    client = new Client({ namespace: stack.temporal.namespace, connection });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
    await trap.stop();
  });

  /** Starts a build as any Temporal client can, without our client's checks. @returns the workflow's failure */
  async function run(
    input: RoleBuildInput,
    ...given: unknown[]
  ): Promise<{ type: string; message: string } | undefined> {
    const workflowId = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
    const handle = await client.workflow.start(ROLE_BUILD_WORKFLOW_TYPE, {
      workflowId,
      taskQueue: 'role-builds',
      args: [input, ...given],
    });
    return handle.result().then(
      () => undefined,
      ({ cause }: { cause: { type: string; message: string } }) => cause,
    );
  }

  // test/activities/hostile-input.test.ts tries each trick.
  it("a worker refuses tricks with a url of another client's start before anything is written or sent", async () => {
    const refused = urlTricks(stack.buildApiUrl, trap.address).filter(({ isRefused }) => isRefused);
    const tricks = refused.filter((_, i) => i % 10 === 0);
    assert.ok(tricks.length > 8);
    const failures = await Promise.all(
      tricks.map(async ({ url }, i) => run(inputFor(stack, `trick-${i}`, {}, { url }))),
    );
    failures.forEach((failure, i) => {
      assert.equal(failure?.type, 'InvalidInput', JSON.stringify(tricks[i]));
      assert.match(failure.message, /url: /);
    });
    assert.deepEqual(stack.proxy.callsFor('trick-'), []);
    assert.deepEqual(
      stack.buildApi.requests().filter((request) => JSON.stringify(request).includes('trick-')),
      [],
    );
    assert.equal(trap.reached(), 0);
  });

  it('a worker polls at the listed origin, whatever the build_id is', async () => {
    const tricks = buildIdTricks(trap.address);
    await Promise.all(
      tricks.map(async (build_id, i) => {
        const name = `build-id-${i}`;
        assert.equal(await run(inputFor(stack, name, { build_id, polls: 0 })), undefined, build_id);
        const paths = stack.buildApi.requests(`request-${name}`).map(({ path }) => path);
        assert.deepEqual(paths, ['/build', `/build/${encodeURIComponent(build_id)}`]);
      }),
    );
    assert.equal(trap.reached(), 0);
  });

  it('a worker believes no client about checks that were never made, and takes no build_id that is not a path segment', async () => {
    const checked = {
      start_at: '2026-01-01T00:00:00.000Z',
      record: 'written',
      polls: 0,
      ended_record: false,
      ended_history: false,
      contested: false,
    };
    const input = inputFor(stack, 'forged', {}, { url: `http://${trap.address}` });
    for (const given of [checked, { ...checked, build_id: '..' }]) {
      const failure = await run(input, given);
      assert.equal(failure?.type, 'InvalidInput');
    }
    for (const given of [
      { resumes: 'job', build_id: '..', previous_jobs: [] },
      { resumes: 'job', build_id: 7, previous_jobs: [] },
      { resumes: {}, previous_jobs: [] },
      { resumes: 'job' },
    ]) {
      const failure = await run(inputFor(stack, 'forged'), given);
      assert.equal(failure?.type, 'InvalidInput');
      assert.match(failure.message, /\(resumption\)/);
    }
    assert.deepEqual(stack.proxy.callsFor('forged'), []);
    assert.equal(stack.buildApi.requests('request-forged').length, 0);
    assert.equal(trap.reached(), 0);
  });

  it('a worker and the command line use no proxy that only the environment names', async () => {
    const { code, stderr } = await stack.build(inputFor(stack, 'no-proxy', { polls: 0 }));
    assert.equal(code, 0, stderr);
    assert.equal(trap.reached(), 0);
  });

  it('a worker uses the proxy that BUILD_API_PROXY names, to the listed origin only', async (t) => {
    const asked: string[] = [];
    const proxy = http.createServer((request, response) => {
      asked.push(request.url ?? '');
      const { method, headers } = request;
      request.pipe(
        http.request(request.url ?? '', { method, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        }),
      );
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.after(() => {
      proxy.close();
      proxy.closeAllConnections();
    });
    const settings = {
      ROLE_BUILD_TASK_QUEUE: 'proxied',
      BUILD_API_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    };
    const worker = await stack.startWorker({ settings });
    const input = inputFor(stack, 'proxied', { polls: 0 });
    const { code, stderr } = await stack.cli(['start', '--input', '-', '--wait'], {
      settings,
      stdin: JSON.stringify(input),
    });
    assert.equal(code, 0, stderr);
    assert.equal(asked.length, 2);
    for (const url of asked) assert.ok(url.startsWith(`${stack.buildApiUrl}/build`), url);
    await worker.stop();
  });
});
