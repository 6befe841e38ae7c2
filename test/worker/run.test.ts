import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import type { Worker } from '@temporalio/worker';
import { runUntilStopped } from '../../src/worker/run.ts';

type State = ReturnType<Worker['getState']>;

/** A worker whose `run` never settles once it has failed, as the SDK's does if its native half stays busy. */
function workerOf(taskQueue: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  let state: State = 'RUNNING';
  return {
    options: { taskQueue } as Worker['options'],
    getState: () => state,
    run: () => promise,
    shutdown: () => {
      state = 'STOPPED';
      resolve();
    },
    fail: () => (state = 'FAILED'),
  };
}

describe('workers that run until they are stopped', () => {
  it('workers that run until they are stopped end if one has failed and the SDK does not end it', async (t) => {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
    t.after(() => mock.timers.reset());
    const [builds, triggers] = [workerOf('role-builds'), workerOf('role-builds-triggers')];
    const ended = runUntilStopped([builds, triggers], new AbortController().signal);
    builds.fail();
    mock.timers.tick(1_000);
    mock.timers.tick(5_000);
    await assert.rejects(ended, /^Error: the worker of the task queue role-builds has failed$/);
    assert.equal(triggers.getState(), 'STOPPED');
  });
});
