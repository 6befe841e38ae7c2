import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heldByStepFunctions, withoutStart } from '../../src/records/conflict.ts';

const ARN = 'arn:aws:states:eu-west-1:123456789012:execution:orchestrator:e-1';
const START = { start_at: '2026-01-01T00:00:00.000Z' };
const ODD = { odd_attributes: { start_at: 'start_at is missing' } };
const BY_HAND = 'set it by hand to when that job began, such as 2026-01-31T12:00:00.000Z, or delete the item';

describe('a record in the way', () => {
  it('a record of Step Functions that is in the way and in progress gives way to --take-over, if it has a start', () => {
    const held = { job_id: ARN, status: 'IN_PROGRESS' };
    const said = `${ARN}, an execution of Step Functions, is IN_PROGRESS there; `;
    assert.equal(heldByStepFunctions({ ...held, ...START }), `${said}--take-over replaces its record`);
    assert.equal(
      heldByStepFunctions({ ...held, ...ODD }),
      `${said}no build can replace its record, since start_at is missing: ${BY_HAND}`,
    );
    const forged = heldByStepFunctions({ ...held, ...START, job_id: 'arn:x\nrole-build: all is well' });
    assert.ok(forged?.startsWith(String.raw`arn:x\nrole-build: all is well, an execution`), forged);
    for (const other of [undefined, { ...held, ...START, status: 'FAILED' }, { ...held, ...START, job_id: 'job' }]) {
      assert.equal(heldByStepFunctions(other), undefined);
    }
  });

  it('a record in the way without a start is reported with what to do: doctor, if the job is ours', () => {
    const why = 'no build can replace its record, since start_at is missing: ';
    assert.equal(withoutStart({ job_id: ARN, ...ODD }), `${why}${BY_HAND}`);
    assert.equal(
      withoutStart({ job_id: 'job', ...ODD }),
      `${why}role-build doctor --fix sets it if Temporal still knows the job; else ${BY_HAND}`,
    );
    for (const other of [undefined, { job_id: 'job', ...START }]) assert.equal(withoutStart(other), undefined);
  });
});
