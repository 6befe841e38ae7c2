/** Kills the worker before and after each step of a build, and stops it in the middle of each. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Child } from '../../dev/servers/child.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { EndStatus } from '../../src/domain/record-status.ts';
import { ACCOUNT, inputFor } from '../support/stack.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { eventually } from './patience.ts';
import { newReport, writeReport } from './report.ts';
import { STEPS, StepPoints, type Moment, type Step } from './step-points.ts';
import { hasTimer, withClient } from './truth.ts';

/** By then even a busy machine has stopped the worker. */
const WAIT_SECONDS = 15;
const report = newReport('worker-killed');

/** The steps by name. The final updates of all ends are one group: they are held and their worker killed together. */
const GROUPS = Object.groupBy(STEPS, ({ name }) =>
  name.replace(/^Update(Successful|Failed|Cancelled)/, 'Update…'),
) as Record<string, Step[]>;

const isFinalUpdate = ({ at }: Step) => 'operation' in at && at.operation === 'UpdateItem';

describe('whenever the worker ends, the next one brings the build to its right end', () => {
  let stack: FaultStack;
  let points: StepPoints;

  before(async () => {
    stack = await startFaultStack();
    points = new StepPoints(stack);
  });
  after(async () => {
    await stack.stop();
    writeReport(report);
  });

  describe('at each step', { concurrency: 4 }, () => {
    for (const [group, steps] of Object.entries(GROUPS)) {
      describe(group, { concurrency: 1 }, () => {
        const settings = { ROLE_BUILD_TASK_QUEUE: `queue-${steps[0]?.name}` };
        let worker: Child;

        before(async () => {
          worker = await stack.startWorker({ settings });
        });
        after(() => worker.stop());

        it(`SIGKILL before a step (${group}) was taken, and after it took effect, lets the next worker do it`, async () => {
          const builds = steps.flatMap((step) => [run(step, 'before', settings), run(step, 'after', settings)]);
          await decide(builds);
          await Promise.all(builds.map(({ step, input }) => points.reached(step, input)));
          await stack.killWorker(worker);
          worker = await stack.startWorker({ settings });
          for (const { step, input, ended } of builds) {
            await assertRightEnd(input, step.end, await ended);
            assert.ok(points.requests(step, input) > 1, `${step.name} was asked for again`);
          }
        });

        it(`SIGTERM in the middle of a step (${group}) lets the step finish`, async () => {
          const builds = steps.map((step) => run(step, 'middle', settings));
          await decide(builds);
          await Promise.all(builds.map(({ step, input }) => points.reached(step, input)));
          const stopped = worker;
          const exited = stack.stopWorker(stopped);
          await eventually('the worker has heard of it', () => stopped.output().includes('worker stopping'));
          for (const { input } of builds) points.release(input);
          assert.equal(await exited, 0);
          worker = await stack.startWorker({ settings });
          for (const { step, input, ended } of builds) {
            await assertRightEnd(input, step.end, await ended);
            assert.equal(points.requests(step, input), 1, `${step.name} was asked for once`);
          }
        });
      });
    }

    describe('WaitForBuildStatus', { concurrency: 1 }, () => {
      const settings = { ROLE_BUILD_TASK_QUEUE: 'queue-WaitForBuildStatus' };
      let worker: Child;

      before(async () => {
        worker = await stack.startWorker({ settings });
      });
      after(() => worker.stop());

      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        it(`${signal} during a wait lets the next worker continue`, async () => {
          const input = inputFor(stack, `wait-${signal}`, { polls: 0 }, { poll_interval_seconds: WAIT_SECONDS });
          const ended = stack.follow(input, settings);
          await eventually('the wait has begun', () => hasTimer(stack, input));
          if (signal === 'SIGKILL') await stack.killWorker(worker);
          else assert.equal(await stack.stopWorker(worker), 0);
          assert.equal(stack.buildApi.requests(input.correlation_id).length, 1, 'no poll yet');
          worker = await stack.startWorker({ settings });
          await assertRightEnd(input, 'COMPLETE', await ended);
          assert.equal(stack.buildApi.requests(input.correlation_id).length, 2);
        });
      }
    });
  });

  it('killed workers broke no promise', async () => {
    assert.deepEqual(await stack.conclude(report), []);
  });

  function run(step: Step, moment: Moment, settings: { ROLE_BUILD_TASK_QUEUE: string }) {
    const input = points.plan(step, moment, isFinalUpdate(step) ? 'NEVER' : undefined);
    // The command line follows builds whose worker is stopped; the others use Temporal's client, which costs less.
    const ended =
      moment === 'middle' ? stack.follow(input, settings) : stack.run(input, settings.ROLE_BUILD_TASK_QUEUE);
    return { step, input, ended };
  }

  /**
   * Lets builds reach their final record updates together, whenever they were started: a call that is held times out
   * after 10 s and is retried.
   */
  async function decide(builds: readonly { step: Step; input: RoleBuildInput }[]): Promise<void> {
    const undecided = builds.filter(({ step }) => isFinalUpdate(step));
    const isPolled = ({ correlation_id }: RoleBuildInput) => stack.buildApi.requests(correlation_id).length > 1;
    await eventually('each is polled', () => undecided.every(({ input }) => isPolled(input)));
    for (const { step, input } of undecided) {
      const { correlation_id, ddb_composite_sort_key: resource } = input;
      if (step.end === 'CANCELLED') {
        await withClient(stack, ({ workflow }) => workflow.getHandle(workflowIdOf(ACCOUNT, resource)).cancel());
      } else {
        const build_status = step.end === 'COMPLETE' ? 'SUCCEEDED' : 'FAILED';
        stack.buildApi.putFaults({ correlation_id, status: [{ body: { build_status, can_retry: false } }] });
      }
    }
  }

  async function assertRightEnd(input: RoleBuildInput, end: EndStatus, printed: Record<string, unknown>) {
    await stack.assertEnd(input, end, printed);
    const posts = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
    for (const { headers, body } of posts) {
      assert.equal(headers.find(([name]) => name.toLowerCase() === 'x-amzn-requestid')?.[1], input.correlation_id);
      assert.deepEqual(JSON.parse(body), input.build_body);
    }
    const builds = stack.buildApi.builds().filter(({ correlation_id }) => correlation_id === input.correlation_id);
    assert.equal(builds.length, 1, 'one build');
    assert.equal((await stack.records(input)).status?.['build_id']?.S, builds[0]?.build_id);
  }
});
