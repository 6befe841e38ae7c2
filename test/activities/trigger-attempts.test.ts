/** What an attempt at the POST tells the next one by its heartbeats, with a real build API. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createBuildApiActivities } from '../../src/activities/build-api.ts';
import { api, clientOf, CREDENTIAL, serve, url, useSimulatedBuildApi } from '../build-api/client-fixture.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { quietLogger } from '../support/quiet-runtime.ts';

useSimulatedBuildApi();
// On a slow machine an attempt may last until a heartbeat is due.
beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

/** @returns its outcome, and its heartbeats, each with the number of requests that the build API had seen */
async function attemptOf(
  info: { attempt: number; heartbeatDetails?: unknown },
  trigger: object[] = [],
  client = clientOf(),
  more: { may_be_sent?: true } = {},
): Promise<{ failure: ApplicationFailure | undefined; beats: { details: unknown; requests: number }[] }> {
  const environment = new MockActivityEnvironment(info, { logger: quietLogger });
  const beats: { details: unknown; requests: number }[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push({ details, requests: api.requests().length }));
  const { triggerBuild } = createBuildApiActivities(client);
  const target = { url, encrypted_jwt: CREDENTIAL, correlation_id: 'request-1', job_id: 'job-1', ...more };
  const body = { ...sampleInput().build_body, simulate: { trigger } };
  const failure = await environment.run(triggerBuild, target, body).then(
    () => undefined,
    (err: unknown) => {
      assert.ok(err instanceof ApplicationFailure, String(err));
      return err;
    },
  );
  return { failure, beats };
}

describe("an attempt at the build's POST", () => {
  it("an attempt at the build's POST records nothing if it is the first and is answered at once", async () => {
    assert.deepEqual(await attemptOf({ attempt: 1 }), { failure: undefined, beats: [] });
  });

  it("an attempt at the build's POST records that an answer other than success came", async () => {
    const { failure, beats } = await attemptOf({ attempt: 1 }, [{ status: 503 }]);
    assert.equal(failure?.type, 'BuildApiUnavailable');
    assert.deepEqual(beats, [{ details: { unanswered: false }, requests: 1 }]);
  });

  it("an attempt at the build's POST clears the earlier answer before its own POST may be taken", async () => {
    const { beats } = await attemptOf({ attempt: 2, heartbeatDetails: { unanswered: false } });
    assert.deepEqual(beats, [{ details: { unanswered: true }, requests: 0 }]);
  });

  it("an attempt at the build's POST records that it was not sent if a proxy is known not to have passed it on", async () => {
    const client = clientOf({ proxy: 'http://127.0.0.1:9' });
    const { failure, beats } = await attemptOf({ attempt: 1 }, [], client);
    assert.equal(failure?.type, 'BuildApiUnavailable');
    assert.deepEqual(beats, [{ details: { unanswered: false }, requests: 0 }]);
  });

  it("an attempt at the build's POST that was not sent records that an earlier one may have been taken", async () => {
    const client = clientOf({ proxy: 'http://127.0.0.1:9' });
    const { failure, beats } = await attemptOf({ attempt: 2, heartbeatDetails: { unanswered: true } }, [], client);
    assert.equal(failure?.type, 'BuildTriggerUnknown');
    assert.match(failure.message, /an earlier attempt may have been taken without an answer/);
    assert.deepEqual(beats.at(-1)?.details, { unanswered: true });
  });

  it("an attempt at the build's POST records that it may have been taken if a proxy got no answer", async (t) => {
    const proxy = await serve(t, (req, res) => void req.resume().on('end', () => res.writeHead(504).end()));
    const { failure, beats } = await attemptOf({ attempt: 1 }, [], clientOf({ proxy }));
    assert.equal(failure?.type, 'BuildTriggerUnknown');
    assert.deepEqual(beats, [{ details: { unanswered: true }, requests: 0 }]);
  });

  it("an attempt at the build's POST counts an earlier one without a heartbeat as unanswered", async () => {
    const { failure } = await attemptOf({ attempt: 2 }, [{ status: 503 }]);
    assert.equal(failure?.type, 'BuildTriggerUnknown');
    assert.match(failure.message, /an earlier attempt may have been taken without an answer/);
  });

  it("an attempt at the build's POST counts those before an activity reset, which restarts the count", async () => {
    const info = { attempt: 1, heartbeatDetails: { unanswered: true } };
    const { failure, beats } = await attemptOf(info, [{ status: 503 }]);
    assert.equal(failure?.type, 'BuildTriggerUnknown');
    assert.deepEqual(beats[0], { details: { unanswered: true }, requests: 0 });
  });

  it("an attempt at the build's POST counts those of an earlier job or run of the request", async () => {
    const sent = { may_be_sent: true } as const;
    const first = await attemptOf({ attempt: 1 }, [{ status: 503 }], clientOf(), sent);
    assert.equal(first.failure?.type, 'BuildTriggerUnknown');
    assert.deepEqual(first.beats, [{ details: { unanswered: true }, requests: 1 }]);
    const taken = await attemptOf({ attempt: 1 }, [], clientOf(), sent);
    assert.equal(taken.failure, undefined);
  });
});
