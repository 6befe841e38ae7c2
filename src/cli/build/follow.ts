/** Follows a job to its end by its history events, so no worker is needed. */
import { STATE_NAMES } from '../../activities/types.ts';
import { WAIT_SUMMARY } from '../../contract.ts';
import { oneLine } from '../terminal/output.ts';
import type { Services } from '../services.ts';
import { patiently, statesOf, type Run } from './events.ts';
import { findJob } from './find.ts';
import { notingBlocked } from './blocked.ts';
import { newBuildState, recordOf, type BuildState } from './state.ts';

/** For commands about many builds: payloads that can't be read in one build don't keep the others from being shown. */
export function leniently(services: Services): Services {
  return { ...services, payloadsOf: services.readablePayloadsOf };
}

/**
 * Follows a run to its job's end, through continue-as-new and resets.
 *
 * @param onChange called after each change worth showing, with the build's current state; the next event waits for it
 * @returns the build's state at its end
 */
export async function followBuild(
  services: Services,
  { workflowId, runId }: Run,
  onChange: (build: BuildState) => void | Promise<void>,
): Promise<BuildState> {
  let build = newBuildState();
  for (let next: string | undefined = runId; next !== undefined;) {
    const run: Run = { workflowId, runId: next };
    for await (const state of statesOf(services, run, { follow: true, signal: services.signal })) {
      build = state.build;
      if (state.isWorthSeeing) await onChange(build);
    }
    next = build.closed === 'TERMINATED' ? await resetRun(services, run, build) : build.next_run_id;
  }
  return build;
}

/**
 * Follows one job from its last run to its end, and notes if it is blocked.
 *
 * @param onChange by default, notes each change except the start, which the caller has noted
 */
export async function followJob(
  services: Services,
  workflowId: string,
  jobId: string,
  onChange: Parameters<typeof followBuild>[2] = (build) => {
    if (build.current !== undefined || build.closed !== undefined) services.note(describeChange(build));
  },
): Promise<BuildState> {
  // The job's first run may have ended before a reset, or be deleted.
  const runId = (await lastRunOf(services, workflowId, jobId)) ?? jobId;
  const run = { workflowId, runId };
  return notingBlocked(services, run, () => followBuild(services, run, onChange));
}

async function lastRunOf(services: Services, workflowId: string, jobId: string): Promise<string | undefined> {
  const find = () => findJob(services, jobId, workflowId);
  return (await patiently(find, services.note, services.signal)).execution?.runId;
}

/** Returns the run in which the job goes on after a reset, which terminates the old run. */
async function resetRun(services: Services, ended: Run, { job_id }: BuildState): Promise<string | undefined> {
  const runId = await lastRunOf(services, ended.workflowId, job_id ?? '');
  return runId === ended.runId ? undefined : runId;
}

export function describeChange(build: BuildState): string {
  return oneLine(changeOf(build));
}

function changeOf(build: BuildState): string {
  const { current, closed } = build;
  if (closed !== undefined && closed !== 'CONTINUED_AS_NEW') return `ended: ${recordOf(build).status}`;
  if (current === undefined) return `started: job ${build.job_id}`;
  const attempts = current.attempts > 1 ? ` (attempt ${current.attempts})` : '';
  if (current.step === WAIT_SUMMARY) return `${current.step}: next poll at ${build.next_poll_at}`;
  if (build.next_attempt_at !== undefined) return `${current.step} failed; tried again at ${build.next_attempt_at}`;
  if (current.state === 'scheduled') return `${current.step} …`;
  const why = current.failure === undefined ? '' : `: ${current.failure}`;
  if (current.state === 'failed') return `${current.step} failed${attempts}${why}`;
  if (current.step === STATE_NAMES.getBuildStatus) {
    const isRead = build.last_status !== undefined;
    return `${current.step}: ${isRead ? `poll ${build.polls}, ${build.last_status}` : "a poll that can't be read"}`;
  }
  const isBuilt = current.step === STATE_NAMES.triggerBuild && build.build_id !== undefined;
  const built = isBuilt ? `: build ${build.build_id}` : '';
  return `${current.step} done${attempts}${built}`;
}
