/** How the client understands a missing answer of the build API. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSimulatedBuildApi, type Fault } from '../../dev/simulated-build-api/server.ts';
import {
  api,
  CALLS,
  clientOf,
  connections,
  failureOf,
  post,
  serve,
  serveRaw,
  useSimulatedBuildApi,
} from './client-fixture.ts';

/** The client must have connected by then. Otherwise it reports a request that was not sent. */
const LIMIT_MS = 2_000;

describe('no answer in time', { concurrency: true }, () => {
  for (const { name, step, call } of CALLS) {
    for (const fault of [{ hang: true }, { delay_ms: 60_000 }] as Fault[]) {
      it(`no answer in time to ${name} (${JSON.stringify(fault)}) is worth another attempt; it may have been taken`, async (t) => {
        const own = createSimulatedBuildApi();
        t.after(() => own.close());
        const origin = await own.listen();
        own.putFaults({ [step]: [fault] });
        const started = performance.now();
        const { retryable, unanswered, message } = await failureOf(
          call(clientOf({ origins: [origin], timeoutMs: LIMIT_MS }), origin),
        );
        assert.equal(retryable, true);
        assert.equal(unanswered, true);
        assert.match(message, /was not answered within 2 s/);
        assert.ok(performance.now() - started < 30_000);
      });
    }

    it(`an answer to ${name} that trickles in and is not whole in time counts as none`, async (t) => {
      const slow = await serve(t, (req, res) => {
        req.resume();
        res.writeHead(200, { 'content-type': 'application/json' });
        const trickle = setInterval(() => res.write(' '), 50);
        res.once('close', () => clearInterval(trickle));
      });
      const { retryable, unanswered, message } = await failureOf(
        call(clientOf({ origins: [slow], timeoutMs: LIMIT_MS }), slow),
      );
      assert.equal(retryable, true);
      assert.equal(unanswered, true);
      assert.match(message, /not answered within 2 s/);
    });

    it(`no answer in time to ${name} since TLS took too long: worth another attempt, and surely not taken`, async (t) => {
      const tls = `https://${await serveRaw(t, () => {})}`;
      const client = clientOf({ origins: [tls], timeoutMs: 200 });
      const { retryable, unanswered, message } = await failureOf(call(client, tls));
      assert.equal(retryable, true);
      assert.equal(unanswered, false);
      assert.match(message, /not answered within 0\.2 s/);
    });
  }
});

describe('no answer', () => {
  useSimulatedBuildApi();

  for (const { name, step, call } of CALLS) {
    for (const drop of ['before', 'after', 'mid-body', 'reset-mid-body'] as const) {
      it(`no answer to ${name}, the connection ended (${drop}), is worth another attempt; it may have been taken`, async () => {
        api.putFaults({ [step]: [{ drop }] });
        const { retryable, unanswered } = await failureOf(call());
        assert.equal(retryable, true);
        assert.equal(unanswered, true);
      });

      it(`no answer to ${name} over a kept connection (${drop}) may have been taken as well`, async () => {
        const client = clientOf();
        await post(client);
        api.putFaults({ [step]: [{ drop }] });
        const { retryable, unanswered } = await failureOf(call(client));
        assert.equal(retryable, true);
        assert.equal(unanswered, true);
        assert.equal(connections, 1);
      });
    }

    it(`half of a chunked answer to ${name} counts as none`, async () => {
      api.putFaults({ [step]: [{ drop: 'mid-body', headers: { 'transfer-encoding': 'chunked' } }] });
      const { retryable, unanswered } = await failureOf(call());
      assert.equal(retryable, true);
      assert.equal(unanswered, true);
    });

    it(`no answer to ${name} in HTTP is worth another attempt; it may have been taken`, async (t) => {
      const address = await serveRaw(t, (socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n')));
      const other = `http://${address}`;
      const { retryable, unanswered } = await failureOf(call(clientOf({ origins: [other] }), other));
      assert.equal(retryable, true);
      assert.equal(unanswered, true);
    });

    it(`no answer to ${name} since the connection was refused: worth another attempt, and surely not taken`, async () => {
      await api.close();
      const { retryable, unanswered, message } = await failureOf(call());
      assert.equal(retryable, true);
      assert.equal(unanswered, false);
      assert.match(message, /was not answered: .*\(ECONNREFUSED\)/);
    });

    it(`no answer to ${name} since the host is unknown: worth another attempt, and surely not taken`, async () => {
      const unknown = 'http://no-such-host.invalid';
      const { retryable, unanswered } = await failureOf(call(clientOf({ origins: [unknown] }), unknown));
      assert.equal(retryable, true);
      assert.equal(unanswered, false);
    });

    it(`no answer to ${name} since the TLS handshake failed: worth another attempt, and surely not taken`, async (t) => {
      const address = await serveRaw(t, (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')));
      const tls = `https://${address}`;
      const { retryable, unanswered } = await failureOf(call(clientOf({ origins: [tls] }), tls));
      assert.equal(retryable, true);
      assert.equal(unanswered, false);
    });
  }
});
