import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { startRoleBuild } from '../../src/start-role-build.ts';
import type { RunningBuild } from '../support/running-build.ts';
import { Held, type Script } from '../support/scripted-activities.ts';
import { inputWith, TASK_QUEUE, WorkflowEnvironment } from '../support/workflow-environment.ts';

let environment: WorkflowEnvironment;
before(async () => {
  environment = await WorkflowEnvironment.timeSkipping();
});
after(() => environment.stop());

type Handle = RunningBuild['handle'];

async function searchAttributesOf(handle: Handle): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await handle.describe();
  return Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
}

describe('the search attributes', () => {
  it('the search attributes of a build are complete with its first step, whatever client started it', async (t) => {
    const put = new Held<'upsertRequestRecord'>();
    const build = await environment.start(t, { upsertRequestRecord: [put.answer] });
    await put.began();
    assert.deepEqual(await searchAttributesOf(build.handle), {
      JobId: build.jobId,
      AccountId: build.input.build_body.account_id,
      Resource: build.input.ddb_composite_sort_key,
      BuildType: 'iam_role',
      BuildAction: 'create',
      CustomRoleName: 'data-reader',
      CorrelationId: build.input.correlation_id,
      BuildStatus: 'IN_PROGRESS',
      DryRun: false,
    });
    put.succeed(null);
    await build.end();
  });

  it('the search attributes of a build that our own client started are the same', async (t) => {
    const input = inputWith();
    const workflowId = `role-build:${input.build_body.account_id}:${input.ddb_composite_sort_key}`;
    environment.follow(workflowId, {});
    const started = await startRoleBuild(environment.client, input, { taskQueue: TASK_QUEUE });
    const handle = environment.client.workflow.getHandle(started.workflow_id);
    await handle.result();
    const other = await environment.start(t);
    await other.end();
    assert.deepEqual(await searchAttributesOf(handle), {
      ...(await searchAttributesOf(other.handle)),
      JobId: started.job_id,
      Resource: input.ddb_composite_sort_key,
      CorrelationId: input.correlation_id,
    });
  });

  const endings: { name: string; script: Script; cancel?: boolean; status: string }[] = [
    { name: 'succeeded', script: {}, status: 'COMPLETE' },
    {
      name: 'failed',
      script: { getBuildStatus: [{ can_retry: false, build_status: 'FAILED', answer: '{}' }] },
      status: 'FAILED',
    },
    { name: 'was cancelled', script: {}, cancel: true, status: 'CANCELLED' },
    {
      name: 'was refused',
      script: { upsertRequestRecord: [ApplicationFailure.nonRetryable('refused', 'InvalidInput')] },
      status: 'FAILED',
    },
  ];
  for (const { name, script, cancel, status } of endings) {
    it(`the search attributes say ${status} of a build that ${name}`, async (t) => {
      const build = await environment.start(t, script);
      if (cancel) {
        await build.untilEvent('timerStartedEventAttributes');
        await build.handle.cancel();
      }
      await build.end();
      const found = await searchAttributesOf(build.handle);
      assert.equal(found['BuildStatus'], status);
      assert.equal(found['JobId'], build.jobId);
    });
  }

  it('the search attributes of an invalid input are its job and its end', async (t) => {
    const refusal = ApplicationFailure.nonRetryable('refused', 'InvalidInput');
    const build = await environment.start(t, { upsertRequestRecord: [refusal] }, { rawInput: { build_body: [] } });
    await build.end();
    assert.deepEqual(await searchAttributesOf(build.handle), { JobId: build.jobId, BuildStatus: 'FAILED' });
  });
});
