import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { differByCaseOnly, isStepFunctionsJob } from '../../src/domain/identity.ts';

describe("a record's job_id", () => {
  it('is that of an execution of Step Functions if it is an ARN, in whatever partition', () => {
    for (const partition of ['aws', 'aws-us-gov', 'aws-cn', 'aws-iso', 'aws-eusc']) {
      assert.equal(
        isStepFunctionsJob(`arn:${partition}:states:eu-west-1:123456789012:execution:orchestrator:e-1`),
        true,
      );
    }
    for (const other of ['0197a5e2-7d2c-7b5f-9d4e-1d2f3a4b5c6d', 'barn:aws:states', '', undefined, null, 7, ['arn:']]) {
      assert.equal(isStepFunctionsJob(other), false);
    }
  });
});

describe('two names', () => {
  it('differ by case only if they are the same to IAM, and are not the same text', () => {
    assert.equal(differByCaseOnly('Data-Reader', 'data-reader'), true);
    assert.equal(differByCaseOnly('iam_role#Data-Reader', 'iam_role#data-READER'), true);
    assert.equal(differByCaseOnly('data-reader', 'data-reader'), false);
    assert.equal(differByCaseOnly('data-reader', 'data_reader'), false);
  });
});
