import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BuildApiCase } from '../support/build-api-case.ts';
import { CREDENTIAL, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

interface Case extends BuildApiCase {
  build_id?: boolean;
  settings?: Record<string, string>;
}

/** A worker of its own for what is never answered: the others, which a busy machine keeps waiting, have all the time there is. */
const IMPATIENT = { ROLE_BUILD_TASK_QUEUE: 'impatient', BUILD_API_TIMEOUT_SECONDS: '4' };

/** One of a kind: what each status, answer and broken connection means is in test/build-api, how steps are retried in test/workflows. */
const CASES: readonly Case[] = [
  { name: 'post-500-twice', simulate: { polls: 0, trigger: [{ status: 500 }, { status: 502 }] }, posts: 3, gets: 1 },
  {
    name: 'post-503-thrice',
    simulate: { trigger: [{ status: 503 }, { status: 503 }, { status: 503 }] },
    error: 'BuildApiUnavailable',
    cause: /^TriggerBuild: .*503.*3 attempts/,
    posts: 3,
    gets: 0,
  },
  {
    name: 'post-lost',
    simulate: { trigger: [{ drop: 'after' }, { drop: 'after' }, { drop: 'after' }] },
    error: 'BuildTriggerUnknown',
    cause: /^TriggerBuild: /,
    posts: 3,
    gets: 0,
  },
  {
    name: 'post-lost-then-503',
    simulate: { trigger: [{ drop: 'mid-body' }, { status: 503 }, { status: 503 }] },
    error: 'BuildTriggerUnknown',
    cause: /may have been taken/,
    posts: 3,
    gets: 0,
  },
  { name: 'post-lost-once', simulate: { polls: 0, trigger: [{ drop: 'after' }] }, posts: 2, gets: 1 },
  {
    name: 'post-timeout',
    simulate: { trigger: [{ hang: true }, { hang: true }, { hang: true }] },
    error: 'BuildTriggerUnknown',
    cause: /not answered within 4 s/,
    posts: 3,
    gets: 0,
    settings: IMPATIENT,
  },
  {
    name: 'post-400',
    simulate: { trigger: [{ status: 400, body: { message: 'no such type' } }] },
    error: 'CustomNonRetryableError',
    cause: /400.*no such type/,
    posts: 1,
    gets: 0,
  },
  {
    name: 'post-no-id',
    simulate: { trigger: [{ body: { id: 1 } }] },
    error: 'CustomNonRetryableError',
    cause: /build_id/,
    posts: 1,
    gets: 0,
  },
  { name: 'get-503-twice', simulate: { polls: 0, status: [{ status: 503 }, { status: 504 }] }, posts: 1, gets: 3 },
  {
    name: 'get-503-thrice',
    simulate: { status: [{ status: 503 }, { status: 503 }, { status: 503 }] },
    error: 'BuildApiUnavailable',
    cause: /^GetBuildStatus: .*503/,
    posts: 1,
    gets: 3,
    build_id: true,
  },
  {
    name: 'get-404',
    simulate: { polls: 3, status: [null, { status: 404 }] },
    error: 'CustomNonRetryableError',
    cause: /^GetBuildStatus: .*404/,
    posts: 1,
    gets: 2,
    build_id: true,
  },
  {
    name: 'get-retry-outranks',
    simulate: { polls: 0, status: [{ body: { can_retry: true, build_status: 'SUCCEEDED' } }] },
    posts: 1,
    gets: 2,
  },
  {
    name: 'get-failed',
    simulate: { polls: 1, outcome: 'FAILED', message: 'policy missing' },
    error: 'BuildFailed',
    cause: /FAILED.*policy missing/,
    posts: 1,
    gets: 2,
    build_id: true,
  },
  {
    name: 'get-echo',
    simulate: { outcome: 'FAILED', polls: 0, message: `bad credential ${CREDENTIAL}` },
    error: 'BuildFailed',
    cause: /bad credential \[redacted\]/,
    posts: 1,
    gets: 1,
    build_id: true,
  },
];

describe('whatever the build API answers, both records tell how it ended', { concurrency: 12 }, () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
    await Promise.all([stack.startWorker(), stack.startWorker({ settings: IMPATIENT })]);
  });
  after(() => stack.stop());

  for (const { name, simulate, error, cause, posts, gets, build_id: hasBuildId, settings } of CASES) {
    it(`${name}: ${error ?? 'COMPLETE'}`, async () => {
      const input = inputFor(stack, name, simulate);
      const { code, json, stderr } = await stack.build(input, settings);
      const expected = error === undefined ? 'COMPLETE' : 'FAILED';
      assert.equal(json['status'], expected, stderr);
      assert.equal(code, error === undefined ? 0 : 1);

      const requests = stack.buildApi.requests(input.correlation_id);
      assert.equal(requests.filter(({ method }) => method === 'POST').length, posts);
      assert.equal(requests.filter(({ method }) => method === 'GET').length, gets);

      const { status, history } = await stack.records(input);
      for (const record of [status, history]) {
        assert.equal(record?.['status']?.S, expected);
        if (error === undefined) assert.equal(record?.['error_info'], undefined);
        else {
          assert.deepEqual(Object.keys(record?.['error_info']?.M ?? {}).sort(), ['Cause', 'Error']);
          assert.equal(record?.['error_info']?.M?.['Error']?.S, error);
          assert.match(record?.['error_info']?.M?.['Cause']?.S ?? '', cause ?? /./);
          assert.equal(record?.['build_id'] !== undefined, hasBuildId === true);
        }
        assert.ok(!JSON.stringify(record).includes(CREDENTIAL));
      }
      assert.deepEqual(
        json['error_info'],
        error === undefined ? undefined : { Error: error, Cause: status?.['error_info']?.M?.['Cause']?.S },
      );
    });
  }

  it('honours Retry-After if it is longer than the backoff', async () => {
    const input = inputFor(stack, 'retry-after', {
      polls: 0,
      trigger: [{ status: 429, headers: { 'retry-after': '6' } }],
      status: [{ status: 503, headers: { 'retry-after': '1' } }],
    });
    await stack.build(input);
    const [first, second, third, fourth] = stack.buildApi.requests(input.correlation_id);
    assert.ok((second?.at ?? 0) - (first?.answered_at ?? Infinity) >= 5_900);
    assert.ok((fourth?.at ?? 0) - (third?.answered_at ?? Infinity) >= 2_900);
  });
});
