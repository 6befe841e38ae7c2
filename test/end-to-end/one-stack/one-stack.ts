/** A stack with a worker as it is by default, for all files of the process. So each file names its roles differently. */
import { after } from 'node:test';
import { startTestStack, type TestStack } from '../../support/stack.ts';

let started: Promise<TestStack> | undefined;

/** Starts it, or gives what an earlier file has started. It stops after the last test of the process. */
export function oneStack(): Promise<TestStack> {
  return (started ??= start());
}

async function start(): Promise<TestStack> {
  const stack = await startTestStack();
  await stack.startWorker();
  return stack;
}

after(async () => (await started)?.stop());
