/** Kills the Temporal server and restarts it on its database file, while one worker keeps running. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Child } from '../../dev/servers/child.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { inputFor } from '../support/stack.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { eventually } from './patience.ts';
import { newReport, writeReport } from './report.ts';
import { STEPS, StepPoints, type Step } from './step-points.ts';
import { hasTimer } from './truth.ts';

const AWAY_MS = 1_500;
const report = newReport('temporal-killed');

describe('whenever the Temporal server is killed, builds continue from its file', () => {
  let stack: FaultStack;
  let points: StepPoints;
  let worker: Child;

  before(async () => {
    stack = await startFaultStack({ dbFile: true });
    points = new StepPoints(stack);
    worker = await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    writeReport(report);
  });

  it('builds continue after the Temporal server is killed during a wait', async () => {
    const input = inputFor(stack, 'wait', { polls: 0 }, { poll_interval_seconds: 4 });
    const ended = stack.follow(input);
    await eventually('the wait has begun', () => hasTimer(stack, input));
    await stack.restartTemporal(AWAY_MS);
    await assertComplete(input, await ended);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 2);
  });

  for (const name of ['GetBuildStatus', 'UpdateSuccessfulRecord', 'UpdateSuccessfulHistory']) {
    it(`builds continue after the Temporal server is killed during ${name}`, async () => {
      const step = STEPS.find((one) => one.name === name) as Step;
      const input = points.plan(step, 'middle');
      const ended = stack.follow(input);
      await points.reached(step, input);
      const restarted = stack.restartTemporal(AWAY_MS);
      // The request takes effect while no server can be told.
      points.release(input);
      await restarted;
      await assertComplete(input, await ended);
    });
  }

  it('builds needed no new worker after the Temporal server was killed, and broke no promise', async () => {
    assert.equal(worker.hasExited(), false);
    assert.deepEqual(await stack.conclude(report), []);
  });

  async function assertComplete(input: RoleBuildInput, json: Record<string, unknown>): Promise<void> {
    await stack.assertEnd(input, 'COMPLETE', json);
    const posts = stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
    assert.equal(posts.length, 1);
  }
});
