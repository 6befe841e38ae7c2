import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIsoTime } from '../../src/domain/iso-time.ts';

describe('an ISO 8601 time', () => {
  it('an ISO 8601 time is read with its offset, to the millisecond', () => {
    assert.equal(parseIsoTime('1970-01-01'), 0);
    assert.equal(parseIsoTime('1970-01-01T00:00:00.001Z'), 1);
    assert.equal(parseIsoTime('1970-01-01T00:00Z'), 0);
    assert.equal(parseIsoTime('1970-01-01T00:00:01'), new Date(1970, 0, 1, 0, 0, 1).getTime());
    assert.equal(parseIsoTime('1970-01-01T02:00:01+02:00'), 1_000);
    assert.equal(parseIsoTime('1969-12-31T22:30:00-01:30'), 0);
    assert.equal(parseIsoTime('2024-02-29T12:00:00Z'), Date.UTC(2024, 1, 29, 12));
  });

  it('an ISO 8601 time is NaN if it is malformed or a day that does not exist', () => {
    const none = [
      '',
      'now',
      '2026',
      '2026-1-1',
      '2026-01-01 00:00',
      '2026-01-01T',
      '2026-01-01T24:01:00Z',
      '1735689600',
    ];
    const noDay = ['2026-02-31', '2025-02-29T12:00:00Z', '2026-13-01', '2026-00-10', '2026-04-31T00:00:00.000Z'];
    for (const text of [...none, ...noDay, ' 2026-01-01', '2026-01-01T00:00:00ZZ']) {
      assert.ok(Number.isNaN(parseIsoTime(text)), text);
    }
  });
});
