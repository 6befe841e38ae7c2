import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasInputShape, historyRequestOf, invalidInput, isTooDeep } from '../../src/domain/role-build-input.ts';
import { inputFaults } from '../../src/domain/validate-input.ts';
import { sampleInput } from './sample-input.ts';

describe('an input that was not checked yet', () => {
  it('an input that was not checked yet is too deep if the full check says so', () => {
    for (const [levels, expected] of [
      [98, false],
      [99, true],
      [10_000, true],
    ] as const) {
      let nested: unknown = null;
      for (let level = 0; level < levels; level += 1) nested = level % 2 === 0 ? [nested] : { a: 'text', nested };
      const input = sampleInput();
      input.build_body['nested'] = nested;
      assert.equal(isTooDeep(input), expected);
      assert.equal(inputFaults(input).length, expected ? 1 : 0);
    }
    for (const flat of [undefined, null, 'text', 1, [], {}]) assert.equal(isTooDeep(flat), false);
  });

  it('an input that was not checked yet has the right shape if it has all that the records need', () => {
    const input = sampleInput();
    assert.equal(hasInputShape(input), true);
    const { build_body: body, ...rest } = input;
    for (const name of ['account_id', 'build_type', 'action', 'custom_role_name', 'dry_run']) {
      for (const value of [undefined, 7]) {
        assert.equal(hasInputShape({ ...rest, build_body: { ...body, [name]: value } }), false, name);
      }
    }
    for (const name of ['ddb_composite_sort_key', 'correlation_id', 'build_body']) {
      for (const value of [undefined, null, 7]) assert.equal(hasInputShape({ ...input, [name]: value }), false, name);
    }
    for (const other of [undefined, null, 'text', 7, []]) assert.equal(hasInputShape(other), false);
  });
});

it('a refusal lists the faults for people and for programs', () => {
  const faults = [
    { path: 'url', message: 'is missing' },
    { path: 'build_body.action', message: 'must be a string' },
  ];
  assert.deepEqual(invalidInput(faults), {
    type: 'InvalidInput',
    message: 'the input was refused: url: is missing; build_body.action: must be a string',
    details: [{ faults }],
  });
});

describe('the history record', () => {
  it('the history record is made from the input and the resumption', () => {
    const request = {
      correlation_id: 'request-1',
      account_id: '123456789012',
      resource: 'iam_role#data-reader',
      action: 'create',
      trace_header: 'Root=1-67891233-abcdef012345678912345678',
    };
    assert.deepEqual(historyRequestOf(sampleInput()), request);
    const more = { requested_by: 'user@host', take_over: true };
    const resumption = { resumes: 'job-1', previous_jobs: [] };
    assert.deepEqual(historyRequestOf({ ...sampleInput(), ...more }, resumption), { ...request, ...more, resumption });
  });
});
