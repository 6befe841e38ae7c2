import { STATE_NAMES } from '../activities/types.ts';
import { WAIT_SUMMARY } from '../contract.ts';
import { newBuildHistory, recordOf, takeEvent, type BuildHistory } from './build-history.ts';
import { historyEvents } from './history-events.ts';
import { oneLine } from './output.ts';
import type { Services } from './services.ts';

/**
 * Follows one job to its end, through continue-as-new, and tells every change as it happens. It asks no worker.
 *
 * @param onChange called after each change worth showing, with the build as it stands; what follows waits for it
 * @returns the build as it stands at its end
 */
export async function followBuild(
  services: Services,
  workflowId: string,
  runId: string,
  onChange: (build: BuildHistory) => void | Promise<void>,
  signal: AbortSignal,
): Promise<BuildHistory> {
  let nextRunId = runId;
  for (;;) {
    const build = newBuildHistory();
    const reader = services.payloadsOf(workflowId);
    for await (const event of historyEvents(services, { workflowId, runId: nextRunId }, { follow: true, signal })) {
      if (await takeEvent(build, event, reader)) await onChange(build);
    }
    const next = build.closed === 'TERMINATED' ? await resetRun(services, workflowId, build) : build.next_run_id;
    if (next === undefined || next === nextRunId) return build;
    nextRunId = next;
  }
}

/** A reset terminates a run, and the job goes on in another. */
async function resetRun(
  services: Services,
  workflowId: string,
  { job_id: jobId }: BuildHistory,
): Promise<string | undefined> {
  const { runId, raw } = await services.temporal(() => services.client.workflow.getHandle(workflowId).describe());
  return raw.workflowExecutionInfo?.firstRunId === jobId ? runId : undefined;
}

/** A change as one line for a person. */
export function describeChange(build: BuildHistory): string {
  return oneLine(changeOf(build));
}

function changeOf(build: BuildHistory): string {
  const { current, closed } = build;
  if (closed !== undefined) return `ended: ${recordOf(build).status}`;
  if (current === undefined) return `started: job ${build.job_id}`;
  const attempts = current.attempts > 1 ? ` (attempt ${current.attempts})` : '';
  if (current.step === WAIT_SUMMARY) return `${current.step}: next poll at ${build.next_poll_at}`;
  if (build.next_attempt_at !== undefined) return `${current.step} failed; tried again at ${build.next_attempt_at}`;
  if (current.state === 'scheduled') return `${current.step} …`;
  if (current.state === 'failed') return `${current.step} failed${attempts}`;
  if (current.step === STATE_NAMES.getBuildStatus) return `${current.step}: poll ${build.polls}, ${build.last_status}`;
  const built = current.step === STATE_NAMES.triggerBuild ? `: build ${build.build_id}` : '';
  return `${current.step} done${attempts}${built}`;
}
