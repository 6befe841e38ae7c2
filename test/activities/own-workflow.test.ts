/** What activities request from Temporal, with a server that does not answer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { whoCancelled } from '../../src/activities/own-workflow.ts';
import { quietLogger, quietRuntime } from '../support/quiet-runtime.ts';

const [OK, UNAVAILABLE] = ['0', '14'];
const EMPTY_MESSAGE = Buffer.alloc(5);

for (const [what, status] of [
  ['does not answer', undefined],
  ['is away', UNAVAILABLE],
] as const) {
  it(`a record says that the canceller is unknown, and is not delayed, if Temporal ${what}`, async (t) => {
    quietRuntime();
    let asked = 0;
    const server = http2.createServer().on('stream', (stream, { ':path': path = '' }) => {
      stream.on('error', () => {});
      const isOfHistory = path.endsWith('/GetWorkflowExecutionHistoryReverse');
      if (isOfHistory) asked += 1;
      const answer = isOfHistory ? status : OK;
      if (answer === undefined) return;
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': answer }));
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.end(answer === OK ? EMPTY_MESSAGE : undefined);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const connection = await NativeConnection.connect({ address: `127.0.0.1:${port}` });
    t.after(async () => {
      server.close();
      await connection.close();
    });
    const client = new Client({ connection });
    const environment = new MockActivityEnvironment({}, { client, logger: quietLogger });
    const startedAt = performance.now();
    assert.equal(await environment.run(whoCancelled), undefined);
    // An attempt at the write has 15 s, and DynamoDB may take 10 of them.
    assert.ok(performance.now() - startedAt < 5_000);
    assert.ok(asked > 0);
  });
}
