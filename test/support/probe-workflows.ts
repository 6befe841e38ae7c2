/**
 * Our workflow, beside it one that shows what workflows of one worker share, and others as somebody else's worker may run them.
 * A bundle's root.
 */
import {
  makeContinueAsNewFunc,
  proxyActivities,
  sleep,
  startChild,
  type ContinueAsNewOptions,
} from '@temporalio/workflow';

export { roleBuild } from '../../src/workflows/index.ts';

/** Module state, as no workflow of ours has it. */
let counted = 0;

/** Counts in a module variable and in a global, and lets other workflows run between. @returns what it saw of both */
export async function probe(rounds: number): Promise<{ ofModule: number[]; ofGlobal: number[] }> {
  const globals = globalThis as { counted?: number };
  const ofModule: number[] = [];
  const ofGlobal: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    counted += 1;
    globals.counted = (globals.counted ?? 0) + 1;
    ofModule.push(counted);
    ofGlobal.push(globals.counted);
    await sleep('1 second');
  }
  return { ofModule, ofGlobal };
}

/** Goes on as a workflow of another type, with whatever arguments. */
export function handOver(options: ContinueAsNewOptions, ...args: unknown[]): Promise<never> {
  return makeContinueAsNewFunc<(...given: unknown[]) => Promise<never>>(options)(...args);
}

/** Starts a child, and waits for its end. */
export async function parent(
  type: string,
  workflowId: string,
  taskQueue: string,
  ...args: unknown[]
): Promise<unknown> {
  return (await startChild(type, { workflowId, taskQueue, args })).result();
}

/** Has another worker take an activity. */
export async function borrow(activity: string, taskQueue: string, ...args: unknown[]): Promise<unknown> {
  const activities = proxyActivities<Record<string, (...given: unknown[]) => Promise<unknown>>>({
    taskQueue,
    startToCloseTimeout: '10 seconds',
    retry: { maximumAttempts: 1 },
  });
  return activities[activity]?.(...args);
}
