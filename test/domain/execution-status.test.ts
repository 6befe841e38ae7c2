import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isOpen, isPaused } from '../../src/domain/execution-status.ts';

/** The states as the SDK spells them. It maps unknown ones to UNKNOWN. */
const OPEN = ['RUNNING', 'PAUSED', 'UNSPECIFIED', 'UNKNOWN', 'constructor'];
const CLOSED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT'];

describe('an execution', () => {
  for (const status of OPEN) it(`an execution that is ${status} is open`, () => assert.equal(isOpen(status), true));
  for (const status of CLOSED)
    it(`an execution that is ${status} is not open`, () => assert.equal(isOpen(status), false));
  it('an execution that does not exist is not open', () => assert.equal(isOpen(undefined), false));
  it('an execution is paused if it is PAUSED', () => {
    assert.equal(isPaused('PAUSED'), true);
    for (const status of ['RUNNING', 'COMPLETED', undefined]) assert.equal(isPaused(status), false);
  });

  it('an execution is tested for being open in one place: no other code compares the names of open states', () => {
    const root = fileURLToPath(new URL('../../src', import.meta.url));
    const found = globSync('**/*.ts', { cwd: root }).filter((file) =>
      /(?:status|execution)\S* [!=]== '(?:RUNNING|PAUSED)'|ExecutionStatus !?= '(?:Running|Paused)'/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
    assert.deepEqual(found, ['domain/execution-status.ts']);
  });
});
