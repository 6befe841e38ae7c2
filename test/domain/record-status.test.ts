import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isEndStatus, isRecordStatus } from '../../src/domain/record-status.ts';

it('a record is in progress, or has ended in one of three ways', () => {
  for (const [status, isOne, hasEnded] of [
    ['IN_PROGRESS', true, false],
    ['COMPLETE', true, true],
    ['FAILED', true, true],
    ['CANCELLED', true, true],
    ...['RUNNING', 'toString', '', undefined, null, 7, ['FAILED']].map((other) => [other, false, false] as const),
  ] as const) {
    assert.equal(isRecordStatus(status), isOne, String(status));
    assert.equal(isEndStatus(status), hasEnded, String(status));
  }
});
