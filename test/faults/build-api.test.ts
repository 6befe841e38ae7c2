/** Connections to the build API that hang, break or are refused, with a real worker: both records must tell the end. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Fault, Simulate } from '../../dev/simulated-build-api/server.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { inputFor } from '../support/stack.ts';
import type { BuildApiCase } from '../support/build-api-case.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { eventually } from './patience.ts';
import { newReport, writeReport } from './report.ts';
import { hasTimer } from './truth.ts';

/** Less than the 3 s and 6 s between attempts, so that the second or third attempt reaches the API again. */
const AWAY_MS = 4_000;
/** By then even a busy machine has closed the build API's port. */
const WAIT_SECONDS = 15;
const report = newReport('build-api');

const get = (status: Fault) => ({ polls: 0, status: [status] }) satisfies Simulate;
const post = (trigger: Fault) => ({ polls: 0, trigger: [trigger] }) satisfies Simulate;

/** Faults of the connection; test/build-api has those of complete answers. */
const CASES: readonly BuildApiCase[] = [
  { name: 'get-hang', simulate: get({ hang: true }), posts: 1, gets: 2 },
  { name: 'post-hang', simulate: post({ hang: true }), posts: 2, gets: 1 },
  { name: 'post-hang-not-taken', simulate: post({ hang: true, takes_effect: false }), posts: 2, gets: 1 },
  { name: 'get-mid-body', simulate: get({ drop: 'mid-body' }), posts: 1, gets: 2 },
  { name: 'get-reset-mid-body', simulate: get({ drop: 'reset-mid-body' }), posts: 1, gets: 2 },
  { name: 'post-reset-mid-body', simulate: post({ drop: 'reset-mid-body' }), posts: 2, gets: 1 },
  { name: 'post-mid-body', simulate: post({ drop: 'mid-body' }), posts: 2, gets: 1 },
  { name: 'get-reset', simulate: get({ drop: 'after' }), posts: 1, gets: 2 },
  {
    name: 'get-410-at-a-later-poll',
    simulate: { polls: 3, status: [null, null, { status: 410 }] },
    error: 'CustomNonRetryableError',
    cause: /410/,
    posts: 1,
    gets: 3,
  },
];

describe('whatever the build API does, both records tell how the build ended', () => {
  let stack: FaultStack;

  before(async () => {
    stack = await startFaultStack({ settings: { BUILD_API_TIMEOUT_SECONDS: '8' } });
    await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    writeReport(report);
  });

  describe('an answer', { concurrency: 12 }, () => {
    for (const { name, simulate, error, cause, posts, gets } of CASES) {
      it(`both records tell how a build ended despite ${name}: ${error ?? 'COMPLETE'}`, async () => {
        const input = inputFor(stack, name, simulate);
        await assertEnd(input, error, cause, await stack.run(input));
        assert.deepEqual(requestsOf(input), { posts, gets });
      });
    }
  });

  it('a POST that the build API refuses for a while is retried, and makes one build', async () => {
    const input = inputFor(stack, 'refused-post', { polls: 0 });
    const back = stack.refuseBuildApi(AWAY_MS);
    const ended = stack.follow(input);
    await back;
    await assertEnd(input, undefined, undefined, await ended);
    assert.deepEqual(requestsOf(input), { posts: 1, gets: 1 });
  });

  it('a poll that the build API refuses for a while is retried', async () => {
    const input = inputFor(stack, 'refused-get', { polls: 0 });
    const ended = stack.follow(input);
    await eventually('the first wait has begun', () => hasTimer(stack, input));
    await stack.refuseBuildApi(AWAY_MS);
    await assertEnd(input, undefined, undefined, await ended);
    assert.deepEqual(requestsOf(input), { posts: 1, gets: 1 });
  });

  it('a build fails as BuildApiUnavailable, with nothing triggered, if the API refuses connections for all three attempts', async () => {
    const [refusedPosts, refusedGets] = ['long-refused-post', 'long-refused-get'].map((name) =>
      inputFor(stack, name, { polls: 0 }, { poll_interval_seconds: WAIT_SECONDS }),
    ) as [RoleBuildInput, RoleBuildInput];
    const gettingEnded = stack.follow(refusedGets);
    await eventually('the first wait has begun', () => hasTimer(stack, refusedGets));
    const bothEnded = Promise.withResolvers<void>();
    const back = stack.refuseBuildApi(bothEnded.promise);
    const ends = Promise.all([stack.follow(refusedPosts), gettingEnded]);
    const [posting, getting] = await ends.finally(() => bothEnded.resolve());
    await back;
    await assertEnd(refusedPosts, 'BuildApiUnavailable', /^TriggerBuild: .*ECONNREFUSED.*3 attempts/, posting);
    await assertEnd(refusedGets, 'BuildApiUnavailable', /^GetBuildStatus: .*ECONNREFUSED/, getting);
    assert.deepEqual(requestsOf(refusedPosts), { posts: 0, gets: 0 });
    assert.deepEqual(requestsOf(refusedGets), { posts: 1, gets: 0 });
  });

  it('faults of the build API broke no promise', async () => {
    assert.deepEqual(await stack.conclude(report), []);
  });

  function requestsOf({ correlation_id }: RoleBuildInput): { posts: number; gets: number } {
    const methods = stack.buildApi.requests(correlation_id).map(({ method }) => method);
    const count = (wanted: string) => methods.filter((method) => method === wanted).length;
    return { posts: count('POST'), gets: count('GET') };
  }

  async function assertEnd(
    input: RoleBuildInput,
    error: string | undefined,
    cause: RegExp | undefined,
    json: Record<string, unknown>,
  ): Promise<void> {
    await stack.assertEnd(input, error === undefined ? 'COMPLETE' : 'FAILED', json);
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['error_info']?.M?.['Error']?.S, error);
      if (cause !== undefined) assert.match(record?.['error_info']?.M?.['Cause']?.S ?? '', cause);
    }
  }
});
