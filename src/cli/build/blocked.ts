/** What keeps a build from going on: a workflow task that no worker takes or that fails, or a paused activity. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import { defined } from '../../domain/defined.ts';
import { isPaused } from '../../domain/execution-status.ts';
import type { Services } from '../services.ts';
import { relative } from '../terminal/times.ts';
import type { Run } from './events.ts';
import { unpauseActivity } from './next-step.ts';

export interface UntakenTask {
  task_queue: string;
  scheduled_at: string;
  /** Above 1, a worker took the task, and it failed or timed out. */
  attempt: number;
}

/** A worker takes a task at once, unless it is busy. */
const UNTAKEN_AFTER_MS = 5_000;
/** A task that fails reaches its third attempt after about 20 s. */
const LOOKS_AFTER_MS = [10_000, 40_000];
/** `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` */
const SCHEDULED = 1;

/** @returns `undefined` if the workflow task is not late and does not fail */
export function untakenTask({ raw, status, taskQueue }: WorkflowExecutionDescription): UntakenTask | undefined {
  const { state, scheduledTime, attempt: given } = raw.pendingWorkflowTask ?? {};
  const attempt = given ?? 1;
  const scheduled_at = optionalTsToDate(scheduledTime)?.toISOString();
  if (scheduled_at === undefined || isPaused(status.name)) return undefined;
  const isLate = Number(state) === SCHEDULED && Date.now() - Date.parse(scheduled_at) > UNTAKEN_AFTER_MS;
  return isLate || attempt > 2 ? { task_queue: taskQueue, scheduled_at, attempt } : undefined;
}

export interface PausedActivity {
  activity_id: string;
  paused_by?: string;
}

/** @returns the paused activity that waits for `temporal activity unpause`, if there is one */
export function pausedActivity({ raw }: WorkflowExecutionDescription): PausedActivity | undefined {
  const paused = raw.pendingActivities?.find((one) => one.paused === true);
  if (paused === undefined) return undefined;
  return {
    activity_id: paused.activityId ?? '',
    ...defined({ paused_by: paused.pauseInfo?.manual?.identity || undefined }),
  };
}

export function describePaused({ activity_id, paused_by }: PausedActivity): string {
  const by = paused_by === undefined ? '' : ` by ${JSON.stringify(paused_by)}`;
  return `its activity ${JSON.stringify(activity_id)} is paused${by}, and no attempt at it is made`;
}

export function describeUntaken({ task_queue, scheduled_at, attempt }: UntakenTask): string {
  const queue = JSON.stringify(task_queue);
  return attempt > 2
    ? `its workflow task fails again and again (attempt ${attempt}): a worker of the task queue ${queue} logs why`
    : `no worker takes its workflow task, which was scheduled ${relative(scheduled_at)}: does one poll the task queue ${queue}?`;
}

/** Follows a build, and notes once if it is blocked. */
export async function notingBlocked<T>(services: Services, run: Run, follow: () => Promise<T>): Promise<T> {
  const { client, note, temporal } = services;
  const look = async () => {
    const execution = await temporal(() => client.workflow.getHandle(run.workflowId, run.runId).describe());
    const [task, paused] = [untakenTask(execution), pausedActivity(execution)];
    if (task === undefined && paused === undefined) return;
    if (task !== undefined) note(`role-build: ${describeUntaken(task)}`);
    if (paused !== undefined) note(`role-build: ${describePaused(paused)}: ${unpauseActivity(run.workflowId, paused)}`);
    timers.forEach(clearTimeout);
  };
  // Errors are ignored: `follow` meets them too.
  const timers = LOOKS_AFTER_MS.map((afterMs) => setTimeout(() => void look().catch(() => {}), afterMs));
  try {
    return await follow();
  } finally {
    timers.forEach(clearTimeout);
  }
}
