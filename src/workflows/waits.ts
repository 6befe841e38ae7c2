import { sleep, workflowInfo } from '@temporalio/workflow';
import { WAIT_SUMMARY } from '../contract.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { showStep } from './show.ts';
import type { Progress } from '../domain/progress.ts';

/** The state machine's Wait state: a durable timer. It comes before the first poll too. */
export function waitForBuildStatus(progress: Progress, waitMs: number): Promise<void> {
  showStep(progress, WAIT_SUMMARY, `next poll at ${new Date(Date.now() + waitMs).toISOString()}`);
  return sleep(waitMs, { summary: WAIT_SUMMARY });
}

/** How much longer this build waits before its first poll, so that builds started together don't poll together. */
export function pollSpreadMs(input: RoleBuildInput): number {
  const spreadMs = (input.poll_spread_seconds ?? 0) * 1000;
  return spreadMs === 0 ? 0 : fnv1a(workflowInfo().workflowId) % (spreadMs + 1);
}

/** 32-bit FNV-1a over UTF-16 units. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
