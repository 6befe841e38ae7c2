/** Shared by the tests of the command line: a stack with a worker, and a temporary folder. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { inputFor, parseJson, until, type TestStack } from '../../support/stack.ts';
import { oneStack } from './one-stack.ts';

/** Call this in a suite. */
export function cliFixture() {
  let stack: TestStack;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    stack = await oneStack();
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  const statusOf = async (...args: string[]) => {
    const result = await stack.cli(['status', ...args, '--json']);
    return { code: result.code, json: parseJson(result) };
  };
  /** Starts a build that never ends alone, and waits until it has polled. */
  const startEndless = async (name: string) => {
    const input = inputFor(stack, name, { outcome: 'NEVER' });
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    assert.equal(started.code, 0, started.stderr);
    await until('it polls', () => stack.buildApi.requests(input.correlation_id).length >= 2);
    return { input, started: parseJson(started) as { workflow_id: string; job_id: string; status: string } };
  };

  return {
    get stack() {
      return stack;
    },
    get folder() {
      return folder;
    },
    statusOf,
    startEndless,
  };
}
