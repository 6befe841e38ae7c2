/** Builds whose workflow an operator resets. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client';
import { workflowIdOf } from '../../src/domain/identity.ts';
import { startDoctorStack, type DoctorStack, type Job } from '../support/doctor-fixture.ts';
import { ACCOUNT, until } from '../support/stack.ts';

describe('a build that is reset', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  /** Resets the workflow to the task with this number, which scheduled the step with this number. @returns how the new run ends */
  const reset = async ({ input }: Job, task: number): Promise<unknown> => {
    const handle = stack.client.workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key));
    const { events } = await handle.fetchHistory();
    const tasks = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
    await stack.client.workflowService.resetWorkflowExecution({
      namespace: stack.temporal.namespace,
      workflowExecution: { workflowId: handle.workflowId },
      workflowTaskFinishEventId: tasks.at(task)?.eventId ?? null,
      requestId: randomUUID(),
    });
    return handle.result().catch((err: unknown) => err);
  };

  for (const [task, which] of ['status', 'history'].entries()) {
    it(`a COMPLETE build that is reset to the put of its ${which} record ends as JobAlreadyEnded and keeps both records`, async () => {
      const job = await stack.ended(`put-${which}`);
      const earlier = await stack.records(job.input);
      const end = await reset(job, task);
      assert.ok(end instanceof WorkflowFailedError && end.cause instanceof ApplicationFailure, String(end));
      assert.equal(end.cause.type, 'JobAlreadyEnded');
      assert.match(end.cause.message, new RegExp(`${which} record has already ended COMPLETE`));
      assert.deepEqual(await stack.records(job.input), earlier);
      assert.deepEqual((await stack.doctor()).of(job.input), []);
    });
  }

  it('a COMPLETE build that is reset to its history put goes on if its status record is IN_PROGRESS, as doctor sets it, and ends both', async () => {
    const job = await stack.ended('set-back');
    await stack.change('status', job.input, { status: { S: 'IN_PROGRESS' } });
    const end = (await reset(job, 1)) as { status?: string };
    assert.equal(end.status, 'COMPLETE');
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
    assert.deepEqual((await stack.doctor()).of(job.input), []);
  });

  it('a build that is reset while its POST has no answer remembers that the API may have accepted it', async () => {
    const refused = Array.from({ length: 5 }, () => ({ status: 503 }));
    const job = await stack.start('reset-post', { polls: 0, trigger: [{ drop: 'after' }, ...refused] });
    await until('its POST was sent', () => stack.buildApi.requests(job.input.correlation_id).length > 0);
    const end = await reset(job, 2);
    assert.ok(end instanceof WorkflowFailedError && end.cause instanceof ApplicationFailure, String(end));
    assert.equal(end.cause.type, 'BuildTriggerUnknown');
    assert.deepEqual(await stack.statuses(job.input), ['FAILED', 'FAILED']);
  });
});
