/** Where the caller's credential must never be. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import type { Fault } from '../../dev/simulated-build-api/server.ts';
import {
  api,
  CALLS,
  clientOf,
  connections,
  CREDENTIAL,
  failureOf,
  never,
  request,
  serve,
  url,
  useSimulatedBuildApi,
} from './client-fixture.ts';

const ANSWER_MAX_BYTES = 1024 * 1024;

useSimulatedBuildApi();

describe('the credential', () => {
  const everything = (err: unknown): string => {
    const parts: string[] = [];
    for (let one = err; one instanceof Error; one = one.cause) parts.push(one.message, one.stack ?? '');
    return parts.join('\n');
  };

  for (const { name, step, call } of CALLS) {
    for (const fault of [
      { status: 500, text: `refused ${CREDENTIAL}, ${CREDENTIAL}` },
      { status: 400, body: { headers: { 'Encrypted-Authorization': CREDENTIAL } } },
      { status: 200, text: CREDENTIAL },
      { status: 302, headers: { location: `/?jwt=${CREDENTIAL}` } },
      { hang: true },
      { drop: 'after' },
      { drop: 'mid-body', body: { echo: CREDENTIAL } },
      { status: 503, bytes: ANSWER_MAX_BYTES + 1 },
    ] as Fault[]) {
      it(`the credential is in no part of the error of a ${name}: ${JSON.stringify(fault)}`, async () => {
        api.putFaults({ [step]: [fault] });
        const failure = await failureOf(call(clientOf({ timeoutMs: 300 })));
        assert.ok(!everything(failure).includes(CREDENTIAL), everything(failure));
        assert.ok(!JSON.stringify(failure).includes(CREDENTIAL));
      });
    }

    it(`the credential is in no part of the error of a ${name} if JSON spells it with escapes`, async () => {
      api.putFaults({ [step]: [{ status: 500, text: `{"echo":"${CREDENTIAL.replaceAll('/', '\\/')}"}` }] });
      const { message } = await failureOf(call());
      assert.ok(!message.includes('VjcmV0'), message);
    });

    it(`no part of the credential is left if the answer is cut in the middle of it`, async () => {
      const long = 'c'.repeat(4_000);
      for (const before of [0, 500, 990]) {
        api.putFaults({ [step]: [{ status: 500, text: `${'-'.repeat(before)}${long}` }] });
        const client = clientOf();
        const target = { ...request(), encrypted_jwt: long };
        const { message } = await failureOf(
          step === 'trigger' ? client.triggerBuild(target, {}) : client.getBuildStatus(target, 'b', never),
        );
        assert.doesNotMatch(message, /ccc/);
      }
    });

    it(`the credential is sent only to allowed origins: a ${name} to another origin is not sent`, async (t) => {
      let called = 0;
      const elsewhere = await serve(t, (_: IncomingMessage, res) => {
        called += 1;
        res.end('{}');
      });
      const port = new URL(elsewhere).port;
      for (const other of [
        elsewhere,
        `http://localhost:${port}`,
        `${url}@127.0.0.1:${port}`,
        `http://127.0.0.1:${port}\\@${new URL(url).host}`,
        `http://127.0.0.1:${port}#@${new URL(url).host}`,
        url.replace('http:', 'https:'),
        'not a url',
        '',
      ]) {
        const { retryable, unanswered, message } = await failureOf(call(clientOf(), other));
        assert.equal(retryable, false, other);
        assert.equal(unanswered, false, other);
        assert.match(message, /was not sent, since it (is not a URL|has the origin .*does not list)/);
      }
      assert.equal(called, 0);
      assert.equal(connections, 0);
    });
  }
});
