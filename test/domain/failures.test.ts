import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { CAUSE_MAX_CHARACTERS, clip, errorInfo, FAILURES, isFailureName, REFUSALS } from '../../src/domain/failures.ts';

describe('clip', () => {
  it('clip leaves text that fits as it is', () => {
    assert.equal(clip('', 1), '');
    assert.equal(clip('abc', 3), 'abc');
    assert.equal(clip('😀', 2), '😀');
  });

  it('clip shows a cut by an ellipsis, which counts', () => assert.equal(clip('abcd', 3), 'ab…'));

  it('clip leaves no half of a surrogate pair', () => {
    assert.equal(clip('a😀bc', 3), 'a…');
    assert.equal(clip('a😀bc', 4), 'a😀…');
    assert.equal(clip('😀😀', 2), '…');
    assert.equal(clip('😀😀', 1), '…');
  });

  it('clip of any text and any limit keeps a beginning, within the limit and well-formed', () => {
    const text = fc.array(fc.constantFrom('a', '\n', 'ü', '😀', '👩‍🚀', '…')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 40 }), (value, maxCharacters) => {
        const clipped = clip(value, maxCharacters);
        assert.ok(clipped.length <= maxCharacters);
        assert.ok(clipped.isWellFormed());
        if (clipped === value) return;
        assert.ok(value.length > maxCharacters && clipped.endsWith('…'));
        assert.ok(value.startsWith(clipped.slice(0, -1)));
        // Only half of a surrogate pair is lost.
        assert.ok(clipped.length >= maxCharacters - 1);
      }),
    );
  });
});

describe('error_info', () => {
  it('error_info keeps a cause that fits, and cuts a longer one to what Step Functions allows', () => {
    assert.equal(CAUSE_MAX_CHARACTERS, 32_768);
    assert.deepEqual(errorInfo('BuildFailed', 'quota'), { Error: 'BuildFailed', Cause: 'quota' });
    assert.equal(errorInfo('BuildFailed', 'x'.repeat(32_768)).Cause, 'x'.repeat(32_768));
    assert.equal(errorInfo('BuildFailed', 'x'.repeat(32_769)).Cause, `${'x'.repeat(32_767)}…`);
  });

  it('error_info is well-formed, whatever the texts were', () => {
    assert.equal(errorInfo('BuildFailed', 'half \ud83d of a pair').Cause, 'half \ufffd of a pair');
  });

  it('error_info has names that Step Functions allows: at most 256 characters', () => {
    for (const name of Object.keys(FAILURES)) assert.match(name, /^[A-Z][A-Za-z]{1,255}$/);
  });

  it('error_info knows its names, and no other', () => {
    for (const name of Object.keys(FAILURES)) assert.ok(isFailureName(name));
    for (const name of ['', 'buildFailed', 'toString', '__proto__', undefined, null, 1])
      assert.ok(!isFailureName(name));
    for (const name of REFUSALS) assert.ok(!isFailureName(name), 'a refusal is never recorded');
  });
});
