/** A build that waits for a worker, as if none polls its task queue, or if all that do fail at its workflow task. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import { isPaused } from '../../domain/execution-status.ts';
import type { Services } from '../services.ts';
import { relative } from '../terminal/times.ts';
import type { Run } from './events.ts';

export interface UntakenTask {
  task_queue: string;
  scheduled_at: string;
  /** Above 1, it was taken, and failed or timed out. */
  attempt: number;
}

/** A worker takes a task at once unless it is busy. */
const UNTAKEN_AFTER_MS = 5_000;
/** One that fails is at its third attempt after some 20 s. */
const LOOKS_AFTER_MS = [10_000, 40_000];
/** `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` */
const SCHEDULED = 1;

/** @returns `undefined` if all is well */
export function untakenTask({ raw, status, taskQueue }: WorkflowExecutionDescription): UntakenTask | undefined {
  const { state, scheduledTime, attempt: given } = raw.pendingWorkflowTask ?? {};
  const attempt = given ?? 1;
  const scheduled_at = optionalTsToDate(scheduledTime)?.toISOString();
  if (scheduled_at === undefined || isPaused(status.name)) return undefined;
  const isLate = Number(state) === SCHEDULED && Date.now() - Date.parse(scheduled_at) > UNTAKEN_AFTER_MS;
  return isLate || attempt > 2 ? { task_queue: taskQueue, scheduled_at, attempt } : undefined;
}

/** For a person. */
export function describeUntaken({ task_queue, scheduled_at, attempt }: UntakenTask): string {
  const queue = JSON.stringify(task_queue);
  return attempt > 2
    ? `its workflow task fails again and again (attempt ${attempt}): a worker of the task queue ${queue} logs why`
    : `no worker takes its workflow task, which was scheduled ${relative(scheduled_at)}: does one poll the task queue ${queue}?`;
}

/** Follows a build, and says so once if no worker takes it up. */
export async function notingUntaken<T>(services: Services, run: Run, follow: () => Promise<T>): Promise<T> {
  const { client, note, temporal } = services;
  const look = async () => {
    const task = untakenTask(await temporal(() => client.workflow.getHandle(run.workflowId, run.runId).describe()));
    if (task === undefined) return;
    note(`role-build: ${describeUntaken(task)}`);
    timers.forEach(clearTimeout);
  };
  // What fails here, the following fails at too.
  const timers = LOOKS_AFTER_MS.map((afterMs) => setTimeout(() => void look().catch(() => {}), afterMs));
  try {
    return await follow();
  } finally {
    timers.forEach(clearTimeout);
  }
}
