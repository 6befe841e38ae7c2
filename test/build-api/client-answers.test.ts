/** How the client understands answers of the build API. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fault } from '../../dev/simulated-build-api/server.ts';
import type { BuildApiError } from '../../src/build-api/error.ts';
import { api, CALLS, clientOf, failureOf, get, post, serve, url, useSimulatedBuildApi } from './client-fixture.ts';

const ANSWER_MAX_BYTES = 1024 * 1024;

useSimulatedBuildApi();

describe('an answer', () => {
  it('an answer to POST gives the build_id, and one to GET only what is needed', async () => {
    const { build_id } = await post(clientOf(), url, { simulate: { build_id: 7 } });
    assert.equal(build_id, '7');
    assert.deepEqual(await get(clientOf(), url, build_id), { can_retry: true, build_status: 'IN_PROGRESS' });
    assert.deepEqual(await get(clientOf(), url, build_id), { can_retry: false, build_status: 'SUCCEEDED' });
  });

  for (const { name, step, call } of CALLS) {
    const answered = async (fault: Fault): Promise<BuildApiError> => {
      api.putFaults({ [step]: [{ status: 200, ...fault }] });
      return failureOf(call());
    };

    for (const status of [408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 599]) {
      it(`an answer ${status} to ${name} is worth another attempt`, async () => {
        const { retryable, unanswered, message } = await answered({ status, text: 'try later' });
        assert.equal(retryable, true);
        assert.equal(unanswered, false);
        assert.match(message, new RegExp(`^${name} ${url}/build(/b)? answered ${status}\\b.*: try later$`));
      });
    }

    for (const status of [
      400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 412, 413, 415, 418, 422, 424, 428, 431, 451, 499,
    ]) {
      it(`an answer ${status} to ${name} is final`, async () => {
        const { retryable, unanswered, message } = await answered({ status, text: 'no' });
        assert.equal(retryable, false);
        assert.equal(unanswered, false);
        assert.match(message, new RegExp(` answered ${status}\\b.*: no$`));
      });
    }

    for (const status of [300, 301, 302, 303, 304, 305, 307, 308]) {
      it(`an answer ${status} to ${name}, a redirect, is final and not followed`, async (t) => {
        let followed = 0;
        const elsewhere = await serve(t, (_, res) => {
          followed += 1;
          res.end('{"build_id":"b"}');
        });
        for (const location of [`${elsewhere}/build`, '/build']) {
          const { retryable, unanswered, message } = await answered({ status, headers: { location } });
          assert.equal(retryable, false);
          assert.equal(unanswered, false);
          assert.match(message, new RegExp(`answered ${status}.*, a redirect, which is not followed`));
        }
        assert.equal(followed, 0);
        assert.equal(api.requests().length, 2);
      });
    }

    for (const fault of [
      { text: '<html>' },
      { body: [] },
      { body: null },
      { status: 204 },
      { status: 200, text: '' },
      { body: 'text' },
    ] as Fault[]) {
      it(`an answer to ${name} that is ${JSON.stringify(fault)} breaks the contract, which is final`, async () => {
        const { retryable, unanswered, message } = await answered(fault);
        assert.equal(retryable, false);
        assert.equal(unanswered, false);
        assert.match(message, /broke the contract: the answer is not (JSON|a JSON object)/);
      });
    }

    it(`an answer to ${name} that is not UTF-8 breaks the contract; it is still quoted, as an error's is`, async (t) => {
      const json = '{"build_id":"\xe9","can_retry":false,"build_status":"SUCCEEDED"}';
      let [status, body] = [200, Buffer.from(json, 'latin1')];
      const origin = await serve(t, (_, res) => res.writeHead(status).end(body));
      const called = () => call(clientOf({ origins: [origin] }), origin);
      const { retryable, message } = await failureOf(called());
      assert.equal(retryable, false);
      assert.match(message, /broke the contract: the answer is not JSON in UTF-8: {"build_id":"\ufffd",/);
      status = 400;
      assert.match((await failureOf(called())).message, /answered 400 Bad Request: {"build_id":"\ufffd",/);
      [status, body] = [200, Buffer.from(`\ufeff${json}`)];
      await called();
    });

    it(`an answer to ${name} is shown in part if it is long`, async () => {
      const { message } = await answered({ status: 500, text: 'x'.repeat(100_000) });
      assert.ok(message.length < 1_200);
      assert.ok(message.endsWith('x…'));
    });

    describe(`to ${name}, of a size`, () => {
      for (const framing of ['with its length', 'in chunks'] as const) {
        const headers: Fault = framing === 'in chunks' ? { headers: { 'transfer-encoding': 'chunked' } } : {};

        it(`an answer to ${name} of 1 MiB is read, ${framing}`, async () => {
          api.putFaults({ [step]: [{ status: 200, ...headers, bytes: ANSWER_MAX_BYTES }] });
          if (step === 'trigger') {
            const { message } = await failureOf(call());
            assert.match(message, /no build_id/);
          } else {
            const answer = (await call()) as { answer?: string };
            assert.match(answer.answer ?? '', /^\{"filler":"x+…$/);
          }
        });

        it(`an answer to ${name} of one byte more is refused, ${framing}`, async () => {
          const { retryable, unanswered, message } = await answered({ ...headers, bytes: ANSWER_MAX_BYTES + 1 });
          assert.equal(retryable, false);
          assert.equal(unanswered, false);
          assert.match(message, /answered 200 with more than 1048576 bytes, the limit$/);
        });

        it(`an answer to ${name} over the limit, of a status that is worth another attempt, stays so, ${framing}`, async () => {
          const { retryable, message } = await answered({ ...headers, status: 503, bytes: ANSWER_MAX_BYTES + 1 });
          assert.equal(retryable, true);
          assert.match(message, /answered 503 with more than 1048576 bytes/);
        });

        it(`an answer to ${name} over the limit, of a status that is final, stays so, ${framing}`, async () => {
          const { retryable, message } = await answered({ ...headers, status: 404, bytes: ANSWER_MAX_BYTES + 1 });
          assert.equal(retryable, false);
          assert.match(message, /answered 404 with more than/);
        });
      }

      it(`an answer to ${name} without an end is not read further than the limit`, async () => {
        const { message } = await answered({ bytes: 1e13 });
        assert.match(message, /more than 1048576 bytes/);
      });
    });
  }
});

describe('Retry-After', () => {
  for (const [value, expected] of [
    ['120', 120_000],
    ['0', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['Fri, 31 Dec 1999 23:59:59 GMT', undefined],
  ] as const) {
    it(`Retry-After "${value}" asks for ${expected === undefined ? 'nothing' : `${expected} ms`}`, async () => {
      api.putFaults({ trigger: [{ status: 503, headers: { 'retry-after': value } }] });
      assert.equal((await failureOf(post())).retryAfterMs, expected);
    });
  }

  it('Retry-After may be a date', async () => {
    const date = new Date(Date.now() + 600_000).toUTCString();
    api.putFaults({ status: [{ status: 429, headers: { 'retry-after': date } }] });
    const { retryAfterMs = 0 } = await failureOf(get());
    assert.ok(retryAfterMs > 540_000 && retryAfterMs <= 600_000, String(retryAfterMs));
  });

  it('Retry-After asks for nothing if it is missing', async () => {
    api.putFaults({ trigger: [{ status: 503 }] });
    assert.equal((await failureOf(post())).retryAfterMs, undefined);
  });
});
