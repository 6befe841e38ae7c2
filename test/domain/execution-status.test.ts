import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isOpen, isPaused } from '../../src/domain/execution-status.ts';

/** As the SDK spells them; what it does not know is UNKNOWN. */
const OPEN = ['RUNNING', 'PAUSED', 'UNSPECIFIED', 'UNKNOWN', 'constructor'];
const CLOSED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT'];

describe('an execution', () => {
  for (const status of OPEN) it(`an execution that is ${status} is open`, () => assert.equal(isOpen(status), true));
  for (const status of CLOSED)
    it(`an execution that is ${status} is not open`, () => assert.equal(isOpen(status), false));
  it('an execution that is not there is not open', () => assert.equal(isOpen(undefined), false));
  it('an execution is paused if it is PAUSED', () => {
    assert.equal(isPaused('PAUSED'), true);
    for (const status of ['RUNNING', 'COMPLETED', undefined]) assert.equal(isPaused(status), false);
  });

  it('an execution is asked for its state in one place: nothing else compares the names of the states that are open', () => {
    const root = fileURLToPath(new URL('../../src', import.meta.url));
    const found = globSync('**/*.ts', { cwd: root }).filter((file) =>
      /(?:status|execution)\S* [!=]== '(?:RUNNING|PAUSED)'|ExecutionStatus !?= '(?:Running|Paused)'/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
    assert.deepEqual(found, ['domain/execution-status.ts']);
  });
});
