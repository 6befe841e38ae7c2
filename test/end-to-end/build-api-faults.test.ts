import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BuildApiCase } from '../support/build-api-case.ts';
import { CREDENTIAL, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

interface Case extends BuildApiCase {
  build_id?: boolean;
}

/** One fault of each kind. test/build-api has each status, answer and broken connection; test/workflows has the retries of steps. */
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
    name: 'post-400',
    simulate: { trigger: [{ status: 400, body: { message: 'no such type' } }] },
    error: 'CustomNonRetryableError',
    cause: /400.*no such type/,
    posts: 1,
    gets: 0,
  },
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
    name: 'get-echo',
    simulate: { outcome: 'FAILED', polls: 1, message: `bad credential ${CREDENTIAL}` },
    error: 'BuildFailed',
    cause: /FAILED.*bad credential \[redacted\]/,
    posts: 1,
    gets: 2,
    build_id: true,
  },
];

describe('a build whose build API fails', { concurrency: 12 }, () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  for (const { name, simulate, error, cause, posts, gets, build_id: hasBuildId } of CASES) {
    it(`both records say how a build ended whose API has the fault ${name}: ${error ?? 'COMPLETE'}`, async () => {
      const input = inputFor(stack, name, simulate);
      const { code, json, stderr } = await stack.build(input);
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

  it('a step honours Retry-After if it is longer than the backoff', async () => {
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
