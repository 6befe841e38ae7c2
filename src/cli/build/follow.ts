/** Builds as their events show them: a run's states, and a job followed to its end. Needs no worker. */
import { STATE_NAMES } from '../../activities/types.ts';
import { WAIT_SUMMARY } from '../../contract.ts';
import { oneLine } from '../terminal/output.ts';
import type { Services } from '../services.ts';
import { readEvents, type ReadOptions, type Run } from './events.ts';
import { notingUntaken } from './untaken.ts';
import { newBuildState, recordOf, takeEvent, type BuildState } from './state.ts';

/** A run's state after each of its events: the same object each time. */
export async function* statesOf(
  services: Services,
  run: Run,
  options?: ReadOptions,
): AsyncGenerator<{ build: BuildState; isWorthSeeing: boolean }> {
  const build: BuildState = { ...newBuildState(), run_id: run.runId };
  const reader = services.payloadsOf(run.workflowId);
  for await (const event of readEvents(services, run, options)) {
    yield { build, isWorthSeeing: await takeEvent(build, event, reader) };
  }
}

/** For commands about many builds: what can't be read of one build keeps no other from being shown. */
export function leniently(services: Services): Services {
  return { ...services, payloadsOf: services.readablePayloadsOf };
}

/** What the first event of a run holds: job, start and input. */
export async function readStarted(services: Services, run: Run): Promise<BuildState> {
  for await (const { build } of statesOf(services, run, { pageSize: 1 })) return build;
  return newBuildState();
}

/**
 * Follows one job to its end, through continue-as-new.
 *
 * @param onChange called after each change worth showing, with the build as it stands; what follows waits for it
 * @returns the build as it stands at its end
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

/** Follows one job to its end, with a note of each change but the start, which the caller has noted. */
export function followJob(services: Services, workflowId: string, jobId: string): Promise<BuildState> {
  const run = { workflowId, runId: jobId };
  const note = (build: BuildState) => {
    if (build.current !== undefined || build.closed !== undefined) services.note(describeChange(build));
  };
  return notingUntaken(services, run, () => followBuild(services, run, note));
}

/** A reset terminates a run, and the job goes on in another. */
async function resetRun(services: Services, ended: Run, { job_id }: BuildState): Promise<string | undefined> {
  const { client, temporal } = services;
  const { runId, raw } = await temporal(() => client.workflow.getHandle(ended.workflowId).describe());
  return raw.workflowExecutionInfo?.firstRunId === job_id && runId !== ended.runId ? runId : undefined;
}

export function describeChange(build: BuildState): string {
  return oneLine(changeOf(build));
}

function changeOf(build: BuildState): string {
  const { current, closed } = build;
  if (closed !== undefined) return `ended: ${recordOf(build).status}`;
  if (current === undefined) return `started: job ${build.job_id}`;
  const attempts = current.attempts > 1 ? ` (attempt ${current.attempts})` : '';
  if (current.step === WAIT_SUMMARY) return `${current.step}: next poll at ${build.next_poll_at}`;
  if (build.next_attempt_at !== undefined) return `${current.step} failed; tried again at ${build.next_attempt_at}`;
  if (current.state === 'scheduled') return `${current.step} …`;
  if (current.state === 'failed') return `${current.step} failed${attempts}`;
  if (current.step === STATE_NAMES.getBuildStatus) {
    const isRead = build.last_status !== undefined;
    return `${current.step}: ${isRead ? `poll ${build.polls}, ${build.last_status}` : "a poll that can't be read"}`;
  }
  const isBuilt = current.step === STATE_NAMES.triggerBuild && build.build_id !== undefined;
  const built = isBuilt ? `: build ${build.build_id}` : '';
  return `${current.step} done${attempts}${built}`;
}
