import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextStep, quoted } from '../../../src/cli/build/next-step.ts';
import { FAILURES } from '../../../src/domain/failures.ts';
import { sampleInput } from '../../domain/sample-input.ts';

const view = (more: object) => ({
  workflow_id: 'role-build:123456789012:iam_role#data-reader',
  account_id: '123456789012',
  resource: 'iam_role#data-reader',
  build_type: 'iam_role',
  action: 'create',
  custom_role_name: 'data-reader',
  dry_run: false,
  status: 'FAILED',
  ...more,
});
const RESUME = "role-build resume 123456789012 'iam_role#data-reader' --wait";

describe('the next step', () => {
  it('the next step of a running build is to watch it, and of a paused one to unpause it', () => {
    const of = (execution_status: string) => nextStep(view({ status: 'IN_PROGRESS', execution_status }), undefined);
    const running = { next_command: "role-build watch 123456789012 'iam_role#data-reader'" };
    assert.deepEqual(of('RUNNING'), running);
    assert.deepEqual(of('UNKNOWN'), running);
    const id = "'role-build:123456789012:iam_role#data-reader'";
    assert.deepEqual(of('PAUSED'), { next_command: `temporal workflow unpause --workflow-id ${id}` });
    assert.deepEqual(of('TERMINATED'), { move: 'platform', next_command: 'role-build doctor' });
  });

  for (const [name, { move }] of Object.entries(FAILURES)) {
    it(`the next step after ${name} is for the ${move}`, () => {
      const found = nextStep(view({ error_info: { Error: name, Cause: '' } }), undefined);
      assert.equal(found.move, move);
      assert.match(found.next_command ?? '', /^role-build (start|resume) /);
    });
  }

  it('the next step resumes a job that was given up with a build_id, and starts one that was never accepted anew', () => {
    const gaveUp = { error_info: { Error: 'BuildApiUnavailable', Cause: '' } };
    assert.equal(nextStep(view({ ...gaveUp, build_id: 'b' }), undefined).next_command, RESUME);
    assert.match(
      nextStep(view(gaveUp), undefined).next_command ?? '',
      /^role-build start --account 123456789012 --role /,
    );
    for (const name of ['BuildTriggerUnknown', 'BuildDeadlineExceeded', 'ExecutionLost']) {
      const unknown = { error_info: { Error: name, Cause: '' } };
      assert.equal(nextStep(view(unknown), undefined).next_command, RESUME, name);
    }
  });

  it('the next step resumes a resumed job that could not put its records, and starts any other anew', () => {
    const error_info = { Error: 'RecordWriteFailed', Cause: '' };
    for (const more of [{ build_id: 'b' }, { resumes: 'a job' }]) {
      assert.equal(nextStep(view({ error_info, ...more }), undefined).next_command, RESUME);
    }
    assert.match(nextStep(view({ error_info }), undefined).next_command ?? '', /^role-build start /);
  });

  it('the next step starts the same request anew, by flags if they express all of it', () => {
    const input = sampleInput();
    const { account_id, build_type, action, custom_role_name, dry_run } = input.build_body;
    const plain = { ...input, build_body: { account_id, build_type, action, custom_role_name, dry_run } };
    const cancelled = view({ status: 'CANCELLED', dry_run: true, resource: 'other', action: 'update' });
    assert.equal(
      nextStep(cancelled, plain).next_command,
      `role-build start --account 123456789012 --role data-reader --action update --resource other --dry-run --url ${quoted(input.url)} --wait`,
    );
    const more = { ...plain, build_body: { ...plain.build_body, policies: [] } };
    assert.equal(nextStep(cancelled, more).next_command, 'role-build start --input FILE --wait');
  });

  it('the next step of a start that was refused for its url does not offer that url again', () => {
    const { account_id, build_type, action, custom_role_name, dry_run } = sampleInput().build_body;
    const input = { ...sampleInput(), build_body: { account_id, build_type, action, custom_role_name, dry_run } };
    const refused = view({ error_info: { Error: 'InvalidInput', Cause: 'url: is not allowed here' } });
    const expected = 'role-build start --account 123456789012 --role data-reader --url URL --wait';
    for (const url of [input.url, { of: 'another client' } as never]) {
      assert.equal(nextStep(refused, { ...input, url }).next_command, expected);
    }
  });

  it('the next step of a start that Step Functions holds is to start again later, not to take over from an execution that may run', () => {
    const held = view({ error_info: { Error: 'HeldByStepFunctions', Cause: 'it is IN_PROGRESS there' } });
    const { move, next_command } = nextStep(held, undefined);
    assert.equal(move, 'requester');
    assert.equal(next_command, 'role-build start --account 123456789012 --role data-reader --url URL --wait');
  });

  it('the next step of a running build is to watch it, and of one that only its record says runs, doctor', () => {
    const running = view({ status: 'IN_PROGRESS', execution_status: 'RUNNING' });
    assert.deepEqual(nextStep(running, undefined), {
      next_command: "role-build watch 123456789012 'iam_role#data-reader'",
    });
    assert.equal(nextStep(view({ status: 'IN_PROGRESS' }), undefined).move, 'platform');
    const other = view({ status: 'IN_PROGRESS', job_id: 'arn:aws:states:eu-west-1:1:execution:x:y' });
    assert.deepEqual(nextStep(other, undefined), {});
    assert.deepEqual(nextStep(view({ status: 'COMPLETE' }), undefined), {});
  });

  it('the next step is quoted for a shell', () => {
    assert.equal(quoted('a-b_c/d:e'), 'a-b_c/d:e');
    assert.equal(quoted("it's $HOME"), String.raw`'it'\''s $HOME'`);
  });
});
