import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noteStep, type BuildStep, type StepProgress } from '../../../src/cli/build/steps.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

/** Plays the events of a build, one a second. */
function play(
  ...doings: [step: string, state: StepProgress['state'], attempts?: number, more?: object][]
): BuildStep[] {
  const steps: BuildStep[] = [];
  doings.forEach(([step, state, attempts = 1, more = {}], i) => {
    const now = { polls: 0, current: { step, state, attempts, at: at(i) }, ...more };
    noteStep(steps, now);
    noteStep(steps, now);
  });
  return steps;
}

describe('the steps so far', () => {
  it('the steps so far have one entry each, with start, end and attempts', () => {
    assert.deepEqual(play(['TriggerBuild', 'scheduled'], ['TriggerBuild', 'done', 2]), [
      { step: 'TriggerBuild', state: 'done', attempts: 2, started_at: at(0), ended_at: at(1) },
    ]);
  });

  it('the steps so far have the polls as one, and the wait only while it lasts', () => {
    const wait = (next: number) => ['WaitForBuildStatus', 'scheduled', 1, { next_poll_at: at(next) }] as const;
    const poll = (polls: number) => ['GetBuildStatus', 'done', 1, { polls, last_status: 'RUNNING' }] as const;
    const polled = { step: 'GetBuildStatus', state: 'done', attempts: 1, polls: 2, last_status: 'RUNNING' };
    const steps = play([...wait(1)], [...poll(1)], [...wait(3)], [...poll(2)], [...wait(5)]);
    assert.deepEqual(steps, [
      { ...polled, started_at: at(1), ended_at: at(3) },
      { step: 'WaitForBuildStatus', state: 'waiting', attempts: 1, started_at: at(4), until: at(5) },
    ]);
  });

  it('the steps so far show a poll that is retried, and one that no longer is', () => {
    const failing = ['GetBuildStatus', 'failed', 1, { next_attempt_at: at(9) }] as const;
    const poll = { step: 'GetBuildStatus', attempts: 1, started_at: at(0), polls: 0 };
    assert.deepEqual(play([...failing]), [{ ...poll, state: 'waiting', until: at(9) }]);
    assert.deepEqual(play([...failing], ['GetBuildStatus', 'done', 2, { polls: 1 }]), [
      { ...poll, state: 'done', attempts: 2, polls: 1, ended_at: at(1) },
    ]);
    assert.deepEqual(play([...failing], ['UpdateCancelledRecord', 'scheduled'])[0], { ...poll, state: 'failed' });
  });

  it('the steps so far add up the attempts of a final record update that took several rounds', () => {
    const write = 'UpdateFailedRecord';
    const failed = { next_attempt_at: at(9) };
    const rounds = [
      [write, 'scheduled'],
      [write, 'failed', 3],
      [write, 'failed', 3, failed],
      [write, 'scheduled'],
    ] as [string, StepProgress['state'], number?, object?][];
    assert.deepEqual(play(...rounds.slice(0, 3)), [
      { step: write, state: 'waiting', attempts: 3, started_at: at(0), until: at(9) },
    ]);
    assert.deepEqual(play(...rounds), [{ step: write, state: 'running', attempts: 4, started_at: at(0) }]);
    assert.deepEqual(play(...rounds, [write, 'done', 2]), [
      { step: write, state: 'done', attempts: 5, started_at: at(0), ended_at: at(4) },
    ]);
  });
});
