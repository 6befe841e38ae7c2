/**
 * Root of a workflow bundle: our workflow, one that reveals what workflows of one worker share, and others that stand
 * for another team's workflows.
 */
import {
  makeContinueAsNewFunc,
  proxyActivities,
  sleep,
  startChild,
  type ContinueAsNewOptions,
} from '@temporalio/workflow';

export { roleBuild } from '../../src/workflows/index.ts';

/** Module state, which our own workflows must not have. */
let counted = 0;

/** Counts in a module variable and in a global, while other workflows run between. @returns the values seen */
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

/** Continues as a workflow of another type, with any arguments. */
export function handOver(options: ContinueAsNewOptions, ...args: unknown[]): Promise<never> {
  return makeContinueAsNewFunc<(...given: unknown[]) => Promise<never>>(options)(...args);
}

/** Starts a child workflow and waits for its end. */
export async function parent(
  type: string,
  workflowId: string,
  taskQueue: string,
  ...args: unknown[]
): Promise<unknown> {
  return (await startChild(type, { workflowId, taskQueue, args })).result();
}

/** Calls an activity on another worker. */
export async function borrow(activity: string, taskQueue: string, ...args: unknown[]): Promise<unknown> {
  const activities = proxyActivities<Record<string, (...given: unknown[]) => Promise<unknown>>>({
    taskQueue,
    startToCloseTimeout: '10 seconds',
    retry: { maximumAttempts: 1 },
  });
  return activities[activity]?.(...args);
}
