import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import { api, json, poll, post, putFaults, url, useSimulatedBuildApi } from './simulated-build-api-fixture.ts';

useSimulatedBuildApi();

describe('simulate', () => {
  it('simulate sets the number of polls, the outcome and its message', async () => {
    await post({ polls: 0, outcome: 'FAILED', message: 'quota', build_id: 'b' });
    assert.deepEqual((await json(poll('b'))).body, {
      build_id: 'b',
      build_status: 'FAILED',
      can_retry: false,
      message: 'quota',
    });
    await post({ polls: 3, build_id: 'c' }, 'request-2');
    const answers: unknown[] = [];
    for (let n = 0; n < 4; n += 1) answers.push((await json(poll('c', 'request-2'))).body['can_retry']);
    assert.deepEqual(answers, [true, true, true, false]);
  });

  it('simulate can make a build that never ends', async () => {
    await post({ outcome: 'NEVER', polls: 0, build_id: 'b' });
    for (let n = 0; n < 5; n += 1) assert.equal((await json(poll('b'))).body['build_status'], 'IN_PROGRESS');
    assert.deepEqual(api.builds(), [{ build_id: 'b', correlation_id: 'request-1', polls: 5, outcome: 'NEVER' }]);
  });

  for (const build_id of ['a/b c?ü', '', '..', 7, 1.5, null, true, { a: 1 }, []]) {
    it(`simulate returns the build_id ${JSON.stringify(build_id)} unchanged`, async () => {
      assert.deepEqual(await json(post({ build_id })), { status: 201, body: { build_id } });
    });
  }

  it('simulate finds a build by its build_id as one escaped path segment, even if it is a number', async () => {
    await post({ build_id: 'a/b c?ü' });
    assert.equal((await json(poll('a/b c?ü'))).body['build_id'], 'a/b c?ü');
    await post({ build_id: 7 }, 'request-2');
    assert.equal((await json(poll('7', 'request-2'))).body['build_id'], 7);
  });

  it("simulate finds the request's own build if two builds have the same ID", async () => {
    await post({ build_id: 'same', polls: 0, outcome: 'FAILED' });
    await post({ build_id: 'same', polls: 0 }, 'request-2');
    assert.equal((await json(poll('same'))).body['build_status'], 'FAILED');
    assert.equal((await json(poll('same', 'request-2'))).body['build_status'], 'SUCCEEDED');
  });

  it('simulate gives each POST of a request ID and each GET of a build its own fault', async () => {
    const simulate: Simulate = {
      build_id: 'b',
      trigger: [{ status: 500 }, { status: 503 }, null],
      status: [null, { status: 429, headers: { 'retry-after': '1' } }],
    };
    assert.deepEqual(await json(post(simulate)), { status: 500, body: { message: 'Internal Server Error' } });
    assert.equal((await post(simulate, 'request-2')).status, 500);
    assert.equal((await post(simulate)).status, 503);
    assert.deepEqual(api.builds(), []);
    assert.equal((await post(simulate)).status, 201);
    assert.equal((await post(simulate)).status, 201);
    assert.equal((await json(poll('b'))).body['build_status'], 'IN_PROGRESS');
    const refused = await poll('b');
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    assert.equal((await json(poll('b'))).body['build_status'], 'SUCCEEDED');
  });

  for (const [simulate, message] of [
    [{ poles: 1 }, /^simulate\.poles is unknown; simulate may have: polls, /],
    [{ polls: -1 }, /^simulate\.polls must be a whole number/],
    [{ outcome: 'DONE' }, /^simulate\.outcome must be "SUCCEEDED" or "FAILED" or "NEVER"$/],
    [{ trigger: {} }, /^simulate\.trigger must be an array of faults$/],
    [{ trigger: [null, { dely_ms: 1 }] }, /^simulate\.trigger\[1\]\.dely_ms is unknown/],
    [{ status: ['x'] }, /^simulate\.status\[0\] must be an object$/],
    [[], /^simulate must be an object$/],
    [null, /^simulate must be an object$/],
  ] as const) {
    it(`simulate refuses ${JSON.stringify(simulate)}`, async () => {
      const { status, body } = await json(post(simulate as object));
      assert.equal(status, 400);
      assert.match(body['message'] as string, message);
      assert.deepEqual(api.builds(), []);
    });
  }
});

describe('queued faults', () => {
  it('queued faults are used in order, before those of the request, and once each', async () => {
    assert.equal((await putFaults({ trigger: [{ status: 500 }, null] })).status, 204);
    await putFaults({ trigger: [{ status: 502 }] });
    const simulate: Simulate = { trigger: [null, { status: 418 }, null, { status: 503 }] };
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) statuses.push((await post(simulate)).status);
    assert.deepEqual(statuses, [500, 201, 502, 503, 201]);
  });

  it('queued faults apply only to the request ID that they name', async () => {
    await putFaults({ trigger: [{ status: 500 }], status: [{ status: 504 }], correlation_id: 'request-2' });
    assert.equal((await post({ build_id: 'b' })).status, 201);
    assert.equal((await poll('b')).status, 200);
    assert.equal((await post({ build_id: 'c' }, 'request-2')).status, 500);
    assert.equal((await post({ build_id: 'c' }, 'request-2')).status, 201);
    assert.equal((await poll('c', 'request-2')).status, 504);
    assert.equal((await poll('c', 'request-2')).status, 200);
  });

  it('queued faults can be cleared', async () => {
    await putFaults({ trigger: [{ status: 500 }], status: [{ status: 500 }] });
    assert.equal((await fetch(`${url}/_simulator/faults`, { method: 'DELETE' })).status, 204);
    assert.equal((await post({ build_id: 'b' })).status, 201);
    assert.equal((await poll('b')).status, 200);
  });

  it('queued faults are not used up by a request that is refused', async () => {
    await putFaults({ trigger: [{ status: 500 }] });
    await fetch(`${url}/build`, { method: 'POST', body: '{}' });
    assert.equal((await post()).status, 500);
  });

  for (const [faults, message] of [
    [{ triger: [] }, /^triger is unknown; the body may have: trigger, status, correlation_id$/],
    [{ trigger: [{ code: 500 }] }, /^trigger\[0\]\.code is unknown; trigger\[0\] may have: delay_ms, /],
    [{ trigger: [{ status: 99 }] }, /^trigger\[0\]\.status must be a whole number from 200 to 599$/],
    [{ status: [{ delay_ms: '1' }] }, /^status\[0\]\.delay_ms must be a whole number/],
    [{ status: [{ headers: { a: 1 } }] }, /^status\[0\]\.headers must be an object of strings/],
    [{ status: [{ headers: { 'a b': 'c' } }] }, /^status\[0\]\.headers\.a b: /],
    [
      { status: [{ drop: 'later' }] },
      /^status\[0\]\.drop must be "before" or "after" or "mid-body" or "reset-mid-body"$/,
    ],
    [{ status: [{ hang: false }] }, /^status\[0\]\.hang must be true$/],
    [{ status: [{ body: {}, text: '' }] }, /^status\[0\]: body and text can't be combined$/],
    [{ status: [{ drop: 'after', hang: true }] }, /^status\[0\]: drop and hang can't be combined$/],
    [{ status: [{ drop: 'after', status: 500 }] }, /^status\[0\]: drop and status can't be combined$/],
    [{ status: [{ hang: true, text: '' }] }, /^status\[0\]: hang and text can't be combined$/],
    [{ status: [{ drop: 'before', takes_effect: true }] }, /^status\[0\]: drop and takes_effect can't be combined$/],
    [[], /^the body is not a JSON object$/],
  ] as const) {
    it(`queued faults are all refused if one is wrong: ${JSON.stringify(faults)}`, async () => {
      const { status, body } = await json(putFaults(faults));
      assert.equal(status, 400);
      assert.match(body['message'] as string, message);
      assert.equal((await post({ build_id: 'b' })).status, 201);
      assert.equal((await poll('b')).status, 200);
    });
  }
});
