/** The puts of both records. From the first one on, this job may have a record. */
import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { RoleBuildActivities } from '../activities/types.ts';
import { isRefusalName } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import { historyRequestOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import { recordWrite } from './activity-options.ts';
import { showStep } from './show.ts';
import type { Progress } from '../domain/progress.ts';
import { onceReadable } from './unreadable.ts';

const { upsertRequestRecord } = proxyActivities<RoleBuildActivities>({
  ...recordWrite,
  summary: 'status record: IN_PROGRESS',
});
const { insertRequestHistory } = proxyActivities<RoleBuildActivities>({
  ...recordWrite,
  summary: 'history record: IN_PROGRESS',
});

/**
 * @returns the newer job that holds the record; `null` if the put was made
 * @throws ActivityFailure. `progress` notes a refusal, and whether an earlier attempt may have put the record
 */
export async function putStatusRecord(input: RoleBuildInput, job: Job, progress: Progress): Promise<Job | null> {
  const { resumption } = progress;
  const hadNone = progress.record === 'absent';
  let given = 0;
  progress.record = 'unknown';
  showStep(progress, 'UpsertRequestRecord');
  try {
    return await onceReadable(progress, 'UpsertRequestRecord', () => {
      given += 1;
      return resumption ? upsertRequestRecord(input, job, resumption) : upsertRequestRecord(input, job);
    });
  } catch (err) {
    const failure = err instanceof ActivityFailure ? err.cause : undefined;
    // A refusal after an attempt that may have put the record is the cause of another failure.
    const refusal = [failure, failure?.cause].find(isRefusal);
    if (refusal !== undefined) note(refusal, progress, refusal === failure && given === 1 && hadNone);
    throw err;
  }
}

/** Like {@link putStatusRecord}, but only `JobAlreadyEnded` is still a refusal. */
export async function putHistoryRecord(input: RoleBuildInput, job: Job, progress: Progress): Promise<Job | null> {
  showStep(progress, 'InsertRequestHistory');
  try {
    const request = historyRequestOf(input, progress.resumption);
    return await onceReadable(progress, 'InsertRequestHistory', () => insertRequestHistory(request, job));
  } catch (err) {
    const failure = err instanceof ActivityFailure ? err.cause : undefined;
    if (isRefusal(failure) && failure.type === 'JobAlreadyEnded') note(failure, progress, false);
    throw err;
  }
}

function note({ type, message, details }: Refused, progress: Progress, hasNone: boolean): void {
  progress.refusal = { type, message, details: [...(details ?? [])] };
  // This job's record must stay as it is if it has ended, whichever attempt finds it.
  if (type === 'JobAlreadyEnded' || hasNone) progress.record = 'absent';
}

type Refused = ApplicationFailure & { type: string };

function isRefusal(failure: unknown): failure is Refused {
  return failure instanceof ApplicationFailure && isRefusalName(failure.type);
}
