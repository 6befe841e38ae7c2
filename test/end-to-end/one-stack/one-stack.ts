/** A stack with a default worker, shared by all files of the process. So each file uses its own role names. */
import { after } from 'node:test';
import { startTestStack, type TestStack } from '../../support/stack.ts';

let started: Promise<TestStack> | undefined;

/** Starts the stack, or returns the one that an earlier file started. It stops after the last test of the process. */
export function oneStack(): Promise<TestStack> {
  return (started ??= start());
}

async function start(): Promise<TestStack> {
  const stack = await startTestStack();
  await stack.startWorker();
  return stack;
}

after(async () => (await started)?.stop());
