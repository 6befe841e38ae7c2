import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  buildIdFault,
  checkBuildStatus,
  generateBuildStatusErrorMessage,
  takePoll,
  type Polls,
} from '../../src/domain/build-status.ts';

describe('the verdict of a poll', () => {
  it('the verdict of a poll is succeeded only if the API says SUCCEEDED', () => {
    assert.equal(checkBuildStatus({ can_retry: false, build_status: 'SUCCEEDED' }), 'succeeded');
    for (const build_status of ['succeeded', 'SUCCEEDED ', 'FAILED', '', null]) {
      assert.equal(checkBuildStatus({ can_retry: false, build_status }), 'failed', String(build_status));
    }
  });

  it('the verdict of a poll is undecided while can_retry is true, whatever the status', () => {
    for (const build_status of ['SUCCEEDED', 'FAILED', null]) {
      assert.equal(checkBuildStatus({ can_retry: true, build_status }), 'undecided');
    }
  });

  it('the verdict of a poll is deferred if no request was made', () => {
    assert.equal(checkBuildStatus({ can_retry: true, build_status: null, put_off: true }), 'deferred');
  });
});

describe('the polls of a build', () => {
  it('the polls of a build count each answer and keep the last status, and a deferred poll changes nothing', () => {
    const seen: Polls = { polls: 0 };
    assert.equal(takePoll(seen, { can_retry: true, build_status: 'RUNNING' }), 'undecided');
    assert.deepEqual(seen, { polls: 1, last_status: 'RUNNING' });
    assert.equal(takePoll(seen, { can_retry: true, build_status: null, put_off: true }), 'deferred');
    assert.deepEqual(seen, { polls: 1, last_status: 'RUNNING' });
    assert.equal(takePoll(seen, { can_retry: false, build_status: null, answer: '{}' }), 'failed');
    assert.deepEqual(seen, { polls: 2, last_status: '(none)' });
  });
});

describe('the error_info of a failed build', () => {
  it('the error_info of a failed build names the build, its status and the last answer', () => {
    assert.deepEqual(
      generateBuildStatusErrorMessage('b-1', { can_retry: false, build_status: 'FAILED', answer: '{"a":1}' }),
      { Error: 'BuildFailed', Cause: 'GetBuildStatus: build b-1 ended with FAILED. Last answer: {"a":1}' },
    );
    const { Cause } = generateBuildStatusErrorMessage('b-1', { can_retry: false, build_status: null, answer: '{}' });
    assert.equal(Cause, 'GetBuildStatus: build b-1 ended with no build_status. Last answer: {}');
  });
});

describe('a build_id', () => {
  it('a build_id may have 2,048 characters and no more', () => {
    assert.equal(buildIdFault('x'.repeat(2_048)), undefined);
    assert.equal(buildIdFault('x'.repeat(2_049)), 'build_id has 2049 characters, more than 2048');
  });

  it('a build_id is refused if it is not text, empty, a dot segment or half a surrogate pair', () => {
    const refused: [unknown, RegExp][] = [
      [7, /no string/],
      [undefined, /no string/],
      ['', /empty/],
      ['.', /"\.", which is no path segment/],
      ['..', /"\.\.", which is no path segment/],
      ['\ud800', /well-formed/],
    ];
    for (const [id, why] of refused) assert.match(buildIdFault(id) ?? '', why);
    for (const id of ['0', '...', 'a/b', 'ü😀']) assert.equal(buildIdFault(id), undefined);
  });
});
