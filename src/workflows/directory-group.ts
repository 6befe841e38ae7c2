/** The role's group in a directory, for requests that ask for one. */
import { CancellationScope, CancelledFailure, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ActivityOptions, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { STATE_NAMES, type DirectoryActivities } from '../activities/types.ts';
import { directoryQueueOf, GROUP_WAITS } from '../contract.ts';
import { defined } from '../domain/defined.ts';
import { isDirectoryGroup, isDirectoryServer, type GroupRequest } from '../domain/directory-group.ts';
import type { Job } from '../domain/identity.ts';
import type { Ending, Progress } from '../domain/progress.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { directoryCheck, directoryEnsure } from './activity-options.ts';
import { requireAnswer } from './answers.ts';
import { isCancelled } from './cancelled.ts';
import { isFinal } from './endings.ts';
import { inRounds } from './rounds.ts';
import { showStep } from './show.ts';
import { onceReadable } from './unreadable.ts';

const { checkDirectoryGroup: CHECK, ensureDirectoryGroup: ENSURE } = STATE_NAMES;

function activities(options: ActivityOptions) {
  return proxyActivities<DirectoryActivities>({ ...options, taskQueue: directoryQueueOf(workflowInfo().taskQueue) });
}

/** Runs before the POST, so that a group that can't be made fails the request before anything is built. */
export async function checkGroup(input: RoleBuildInput, job: Job, progress: Progress): Promise<void> {
  showStep(progress, CHECK);
  const request = requestOf(input, job, progress);
  const group = await onceReadable(progress, CHECK, () => activities(directoryCheck).checkDirectoryGroup(request));
  requireAnswer(isDirectoryGroup(group), CHECK);
  if (input.build_body.dry_run) progress.directory_group = group;
}

/** Makes the group of a built role, in rounds until it is there or can't be made. The deadline cuts off no attempt. */
export async function ensureGroup(input: RoleBuildInput, job: Job, progress: Progress): Promise<Ending> {
  progress.role_built = true;
  // Only a resumed dry run is not checked yet, because it made no POST.
  if (input.build_body.dry_run && progress.directory_group === undefined) await checkGroup(input, job, progress);
  const endsAtMs = Date.parse(job.start_at) + (input.deadline_seconds ?? Number.POSITIVE_INFINITY) * 1000;
  // Only the last attempt knows whether an add was sent, so no attempt is cut off.
  const attempts = () => {
    if (isCancelled()) throw new CancelledFailure('cancelled before the group was made');
    const request = requestOf(input, job, progress);
    return CancellationScope.nonCancellable(() => activities(directoryEnsure).ensureDirectoryGroup(request));
  };
  progress.directory_group ??= await inRounds(input, progress, ENSURE, attempts, isDirectoryGroup, (failure) => {
    // The server of an unanswered add: from the failure's details, or from the heartbeat if the worker died.
    const { details, lastHeartbeatDetails } = (failure.cause ?? {}) as Partial<ApplicationFailure & TimeoutFailure>;
    const sentTo: unknown = details?.[0] ?? lastHeartbeatDetails;
    if (isDirectoryServer(sentTo)) progress.group_sent_to = sentTo;
    const maxMs = endsAtMs - Date.now();
    const isOver = isFinal(failure) || maxMs <= 0;
    if (!isOver && !isCancelled()) return { says: (why) => `${GROUP_WAITS}: ${why};`, summary: GROUP_WAITS, maxMs };
    delete progress.last_write_wait_ms;
    throw isOver ? failure : new CancelledFailure('cancelled while the group waited');
  });
  return { status: 'COMPLETE' };
}

function requestOf({ build_body, correlation_id }: RoleBuildInput, { job_id }: Job, progress: Progress): GroupRequest {
  const { account_id, custom_role_name: role } = build_body;
  const job_ids = [job_id, ...(progress.resumption?.previous_jobs ?? []).map((one) => one.job_id)];
  return defined({ account_id, role, request_id: correlation_id, job_ids, sent_to: progress.group_sent_to });
}
