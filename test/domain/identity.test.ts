import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  differByCaseOnly,
  isRunId,
  isStepFunctionsJob,
  parseWorkflowId,
  workflowIdOf,
} from '../../src/domain/identity.ts';

describe("a record's job_id", () => {
  it("a record's job_id is that of an execution of Step Functions if it is an ARN, in whatever partition", () => {
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

describe('a workflow ID', () => {
  it('a workflow ID is made of account and resource, and leads back to them', () => {
    for (const resource of ['iam_role#data-reader', 'a:b', 'line\nbreak', '😀']) {
      const id = workflowIdOf('123456789012', resource);
      assert.equal(id, `role-build:123456789012:${resource}`);
      assert.deepEqual(parseWorkflowId(id), { account_id: '123456789012', resource });
    }
  });

  it("a workflow ID of another form is not a build's", () => {
    const others = ['role-build:12345678901:x', 'role-build:1234567890123:x', 'role-build:123456789012:', 'x', ''];
    for (const other of [...others, ' role-build:123456789012:x', 'ROLE-BUILD:123456789012:x']) {
      assert.equal(parseWorkflowId(other), undefined, other);
    }
  });
});

describe('a run ID', () => {
  it('a run ID is a UUID, in either case, and nothing else', () => {
    assert.ok(isRunId('0197a5e2-7d2c-7b5f-9d4e-1d2f3a4b5c6d'));
    assert.ok(isRunId('0197A5E2-7D2C-7B5F-9D4E-1D2F3A4B5C6D'));
    const around = ["0197a5e2-7d2c-7b5f-9d4e-1d2f3a4b5c6d' OR", "' 0197a5e2-7d2c-7b5f-9d4e-1d2f3a4b5c6d"];
    for (const other of ['', '0197a5e27d2c7b5f9d4e1d2f3a4b5c6d', ...around]) {
      assert.ok(!isRunId(other), other);
    }
  });
});

describe('two names', () => {
  it('two names differ by case only if they are the same to IAM, and are not the same text', () => {
    assert.equal(differByCaseOnly('Data-Reader', 'data-reader'), true);
    assert.equal(differByCaseOnly('iam_role#Data-Reader', 'iam_role#data-READER'), true);
    assert.equal(differByCaseOnly('data-reader', 'data-reader'), false);
    assert.equal(differByCaseOnly('data-reader', 'data_reader'), false);
  });
});
