/** Whether a request may have been taken, with TLS and proxies on its way. */
import assert from 'node:assert/strict';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createAuthority } from '../../dev/servers/certificates.ts';
import { until } from '../support/until.ts';
import { clientOf, failureOf, post, serveRaw } from './client-fixture.ts';
import {
  answerYes,
  authority,
  cut,
  hang,
  listen,
  outcomeOf,
  proxyThatSays,
  secureApi,
  tunnelProxy,
  useAuthority,
} from './proxies.ts';

useAuthority();

/** Enough for TLS on a busy machine. */
const LIMIT_MS = 5_000;
/** If nothing can be sent, it does not matter how far the connection got. */
const SHORT_LIMIT_MS = 500;

// In parallel, because some wait for a time limit.
describe('a request that came to nothing', { concurrency: true }, () => {
  for (const isProxied of [false, true]) {
    describe(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}`, () => {
      const way = async (t: TestContext): Promise<{ proxy?: string }> =>
        isProxied ? { proxy: (await tunnelProxy(t)).url } : {};

      it(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}, is answered`, async (t) => {
        const api = await secureApi(t, answerYes);
        assert.deepEqual(await post(clientOf({ origins: [api.url], ...(await way(t)) }), api.url), { build_id: 'b-1' });
        assert.equal(api.bodies.length, 1);
      });

      for (const [how, behave] of Object.entries({ 'cuts the connection': cut, 'does not answer': hang })) {
        it(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}, may have been taken if the API has it whole and ${how}`, async (t) => {
          const api = await secureApi(t, behave);
          const [retryable, unanswered] = await outcomeOf(api.url, { timeoutMs: LIMIT_MS, ...(await way(t)) });
          assert.deepEqual([retryable, unanswered], [true, true]);
          assert.equal(api.bodies.length, 1);
        });

        it(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}, may have been taken if it went over a connection that was kept, and the API ${how}`, async (t) => {
          let connections = 0;
          let behaviour = answerYes;
          const api = await secureApi(t, (req, res) => {
            if (!seen.has(req.socket)) connections += 1;
            seen.add(req.socket);
            behaviour(req, res);
          });
          const seen = new Set<unknown>();
          const client = clientOf({ origins: [api.url], timeoutMs: LIMIT_MS, ...(await way(t)) });
          await post(client, api.url);
          behaviour = behave;
          const { retryable, unanswered } = await failureOf(post(client, api.url));
          assert.deepEqual([retryable, unanswered], [true, true]);
          assert.deepEqual([api.bodies.length, connections], [2, 1]);
        });
      }

      it(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}, was not sent if the API's certificate is not to be trusted`, async (t) => {
        const stranger = createAuthority('Another CA').issue('build API', ['127.0.0.1']);
        const otherName = authority.issue('build API', ['10.0.0.1']);
        for (const certificate of [stranger, otherName]) {
          const api = await secureApi(t, answerYes, certificate);
          const [retryable, unanswered, message] = await outcomeOf(api.url, await way(t));
          assert.deepEqual([retryable, unanswered], [true, false], message);
          assert.equal(api.bodies.length, 0);
        }
      });

      it(`a POST over TLS, ${isProxied ? "through a proxy's tunnel" : 'without a proxy'}, was not sent if TLS is cut or does not come about`, async (t) => {
        for (const onData of [
          (socket: net.Socket) => void socket.destroy(),
          (socket: net.Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
          () => {},
        ]) {
          const api = `https://${await serveRaw(t, (socket) => socket.once('data', () => onData(socket)))}`;
          const [retryable, unanswered, message] = await outcomeOf(api, { timeoutMs: LIMIT_MS, ...(await way(t)) });
          assert.deepEqual([retryable, unanswered], [true, false], message);
        }
      });
    });
  }

  describe("a proxy's tunnel", () => {
    it("a proxy's tunnel that is cut once the API has the POST may have carried it", async (t) => {
      let tunnel: net.Socket | undefined;
      const api = await secureApi(t, () => void tunnel?.destroy());
      const proxy = await tunnelProxy(t, (client, behind) => {
        tunnel = client;
        client.pipe(behind).pipe(client);
      });
      const [retryable, unanswered] = await outcomeOf(api.url, { proxy: proxy.url });
      assert.deepEqual([retryable, unanswered], [true, true]);
      assert.deepEqual([api.bodies.length, proxy.asked], [1, [new URL(api.url).host]]);
    });

    it("a proxy's tunnel that is cut anywhere in the TLS handshake has carried nothing", async (t) => {
      const api = await secureApi(t, answerYes);
      for (const bytes of [0, 1, 5, 100, 500]) {
        const proxy = await tunnelProxy(t, (client, behind) => {
          client.pipe(behind);
          let left = bytes;
          behind.on('data', (data: Buffer) => {
            client.write(data.subarray(0, left));
            left -= data.length;
            if (left <= 0) client.destroySoon();
          });
          if (bytes === 0) client.destroy();
        });
        const [retryable, unanswered, message] = await outcomeOf(api.url, { proxy: proxy.url });
        assert.deepEqual([retryable, unanswered], [true, false], `${bytes} bytes: ${message}`);
      }
      assert.equal(api.bodies.length, 0);
    });

    for (const reply of [
      'HTTP/1.1 502 Bad Gateway\r\n\r\n',
      'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno',
      'HTTP/1.1 504 Gateway Timeout\r\n\r\n',
      'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="x"\r\n\r\n',
      'HTTP/1.1 403 Forbidden\r\n\r\n',
      'SSH-2.0-OpenSSH\r\n',
      '',
    ]) {
      it(`a proxy's tunnel was refused, and nothing sent, if the answer to CONNECT is ${JSON.stringify(reply)}`, async (t) => {
        const proxy = await proxyThatSays(t, reply);
        const [retryable, unanswered, message] = await outcomeOf('https://127.0.0.1:9', {
          proxy: proxy.url,
          timeoutMs: LIMIT_MS,
        });
        assert.deepEqual([retryable, unanswered], [true, false], message);
        assert.deepEqual(proxy.asked, ['127.0.0.1:9']);
      });
    }

    it("a proxy's tunnel that fails leaves no connection open and delays nothing", async (t) => {
      const refused = 'HTTP/1.1 502 Bad Gateway\r\n\r\n';
      const noTls = 'HTTP/1.1 200 Connection established\r\n\r\n';
      for (const reply of ['', refused, noTls]) {
        let open = 0;
        const address = await serveRaw(t, (socket) => {
          open += 1;
          socket.once('close', () => (open -= 1));
          socket.once('data', () => void socket.write(reply));
          socket.resume();
        });
        const started = performance.now();
        await outcomeOf('https://127.0.0.1:9', { proxy: `http://${address}`, timeoutMs: SHORT_LIMIT_MS });
        assert.ok(performance.now() - started < 30_000);
        await until('the connection is closed', () => open === 0);
      }
    });

    it("a proxy's tunnel that is not opened in time has carried nothing", async (t) => {
      const proxy = await proxyThatSays(t, '', { ends: false });
      const [retryable, unanswered] = await outcomeOf('https://127.0.0.1:9', {
        proxy: proxy.url,
        timeoutMs: SHORT_LIMIT_MS,
      });
      assert.deepEqual([retryable, unanswered], [true, false]);
    });
  });

  for (const origin of ['https://127.0.0.1:9', 'http://127.0.0.1:9']) {
    it(`a proxy that can't be reached was sent nothing for ${origin}`, async (t) => {
      const gone = await serveRaw(t, () => {});
      for (const proxy of ['http://127.0.0.1:9', 'http://no-such-proxy.invalid:3128', `https://${gone}`]) {
        const [retryable, unanswered, message] = await outcomeOf(origin, { proxy, timeoutMs: SHORT_LIMIT_MS });
        assert.deepEqual([retryable, unanswered], [true, false], `${proxy}: ${message}`);
      }
    });
  }

  describe('a proxy that forwards a POST to an http origin', () => {
    const origin = 'http://127.0.0.1:9';

    for (const [how, behave] of Object.entries({ 'cuts the connection': cut, 'does not answer': hang })) {
      for (const scheme of ['http', 'https']) {
        it(`a proxy that forwards a POST to an http origin and ${how} may have passed it on, reached over ${scheme}`, async (t) => {
          const taken: string[] = [];
          const listener: RequestListener = (req, res) => {
            taken.push(req.url ?? '');
            req.resume().on('end', () => behave(req, res));
          };
          const server =
            scheme === 'http'
              ? http.createServer(listener)
              : https.createServer(authority.issue('proxy', ['127.0.0.1']), listener);
          const proxy = `${scheme}://127.0.0.1:${await listen(t, server)}`;
          const [retryable, unanswered] = await outcomeOf(origin, { proxy, timeoutMs: LIMIT_MS });
          assert.deepEqual([retryable, unanswered], [true, true]);
          assert.deepEqual(taken, [`${origin}/build`]);
        });
      }
    }

    for (const [status, expected] of [
      [502, { retryable: true, unanswered: true }],
      [503, { retryable: true, unanswered: true }],
      [504, { retryable: true, unanswered: true }],
      [500, { retryable: true, unanswered: false }],
      [429, { retryable: true, unanswered: false }],
      [407, { retryable: false, unanswered: false }],
      [400, { retryable: false, unanswered: false }],
    ] as const) {
      it(`a proxy that forwards a POST to an http origin and answers ${status} ${expected.unanswered ? 'may have passed it on' : 'has not, or the API itself says no'}`, async (t) => {
        const server = http.createServer(
          (req, res) => void req.resume().on('end', () => res.writeHead(status).end('no')),
        );
        const proxy = `http://127.0.0.1:${await listen(t, server)}`;
        const { retryable, unanswered, message } = await failureOf(
          post(clientOf({ origins: [origin], proxy }), origin),
        );
        assert.deepEqual({ retryable, unanswered }, expected, message);
        assert.equal(message.endsWith('possibly the answer of BUILD_API_PROXY: no'), expected.unanswered, message);
      });
    }
  });
});
