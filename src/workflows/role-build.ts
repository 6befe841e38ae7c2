import {
  ApplicationFailure,
  CancelledFailure,
  patched,
  proxyActivities,
  proxyLocalActivities,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { RoleBuildActivities } from '../activities/types.ts';
import { CONTESTED_MEMO, triggersQueueOf, type RoleBuildOutcome } from '../contract.ts';
import {
  buildIdFault,
  generateBuildStatusErrorMessage,
  takePoll,
  type BuildStatusAnswer,
} from '../domain/build-status.ts';
import { defined } from '../domain/defined.ts';
import type { Job } from '../domain/identity.ts';
import type { Resumption } from '../domain/resumption.ts';
import { DEFAULT_POLL_INTERVAL_SECONDS, invalidInput, type RoleBuildInput } from '../domain/role-build-input.ts';
import { poll, trigger } from './activity-options.ts';
import { isHolder, requireAnswer } from './answers.ts';
import { endAsCancelled, isCancelled } from './cancelled.ts';
import { beforeDeadline } from './deadline.ts';
import { checkGroup, ensureGroup } from './directory-group.ts';
import { asOnReplay, endingOf, failed, heldByNewerJob, outcomeOf } from './endings.ts';
import { putHistoryRecord, putStatusRecord } from './puts.ts';
import { faultsOfCarried, goOnAsNew, isContinueAsNewDue, isContinued } from './continue-as-new.ts';
import { writeEnding } from './final-updates.ts';
import { countEnded, countRefused } from './metrics.ts';
import type { Ending, Progress, Refusal } from '../domain/progress.ts';
import { showEndStatus, showJob } from './search-attributes.ts';
import { logRefused, showEnded, showStep } from './show.ts';
import { faultsOfStart, progressAtStart } from './start.ts';
import { onceReadable } from './unreadable.ts';
import { pollSpreadMs, waitForBuildStatus } from './waits.ts';

const { triggerBuild } = proxyActivities<RoleBuildActivities>(trigger);
const { getBuildStatus } = proxyLocalActivities<RoleBuildActivities>(poll);

/**
 * One role build, from request to recorded end: the Step Functions state machine, step by step.
 *
 * @param input the state machine's execution input
 * @param given nothing for a new request, a {@link Resumption} to resume, {@link Progress} after continue-as-new
 * @returns how a COMPLETE build ended
 * @throws ApplicationFailure of a type in `FAILURES` with a {@link RoleBuildOutcome} as its first detail, after both
 *   records say FAILED; of a type in `REFUSALS` if nothing was written
 * @throws CancelledFailure after both records say CANCELLED, or if it was cancelled before the first step
 */
export async function roleBuild(input: RoleBuildInput, given?: Progress | Resumption): Promise<RoleBuildOutcome> {
  const faults = faultsOfStart(input, given);
  // A cron schedule starts a failed run again, but not a cancelled one.
  if (faults.length > 0 && isCancelled()) throw new CancelledFailure('cancelled before the first step');
  if (faults.length > 0) refuse(undefined, invalidInput(faults));

  const progress = progressAtStart(given);
  const { firstExecutionRunId: job_id } = workflowInfo();
  const job: Job = { job_id, start_at: progress.start_at };
  showJob(input, job_id);
  if (isContinued()) faults.push(...(await faultsOfCarried(input, job, progress)));
  if (faults.length > 0) refuse(progress.step, invalidInput(faults));

  try {
    progress.ending ??= await build(input, job, progress);
  } catch (err) {
    progress.ending = endingOf(err, progress);
  }

  const { ending, group_sent_to } = progress;
  if (ending.status === 'FAILED' && group_sent_to !== undefined) ending.error_info.sent_to = group_sent_to;
  await writeEnding(input, job, progress, ending);
  if (progress.refusal !== undefined && progress.has_ended_a_record !== true) refuse(progress.step, progress.refusal);

  showEndStatus(ending.status);
  // The starter may have set this memo itself.
  const isShown = workflowInfo().memo?.[CONTESTED_MEMO] === true;
  if (progress.contested !== isShown) upsertMemo({ [CONTESTED_MEMO]: progress.contested });
  countEnded(ending.status, ending.status === 'FAILED' ? ending.error_info.Error : 'none', job.start_at);
  showEnded(progress, ending);
  return conclude(ending, outcomeOf(input, job, progress, ending));
}

async function build(input: RoleBuildInput, job: Job, progress: Progress): Promise<Ending> {
  if (progress.record !== 'written') {
    if (isCancelled()) throw new CancelledFailure('cancelled before the first step');

    const recordHolder = await putStatusRecord(input, job, progress);
    requireAnswer(isHolder(recordHolder), 'UpsertRequestRecord');
    if (recordHolder !== null) return heldByNewerJob('UpsertRequestRecord', recordHolder, progress);
    progress.record = 'written';

    const historyHolder = await putHistoryRecord(input, job, progress);
    requireAnswer(isHolder(historyHolder), 'InsertRequestHistory');
    if (historyHolder !== null) return heldByNewerJob('InsertRequestHistory', historyHolder, progress);
  }

  const withGroup = input.directory_group === true && patched('directory-group');
  if (!withGroup || progress.role_built !== true) {
    const ending = await buildRole(input, job, progress, withGroup);
    if (!withGroup || ending.status !== 'COMPLETE') return ending;
  }
  return ensureGroup(input, job, progress);
}

function buildRole(input: RoleBuildInput, job: Job, progress: Progress, withGroup: boolean): Promise<Ending> {
  return beforeDeadline(input, job, async (throwIfOver, leftMs) => {
    const { url, encrypted_jwt, correlation_id } = input;
    const target = { url, encrypted_jwt, correlation_id, job_id: job.job_id };
    if (progress.build_id === undefined) {
      if (withGroup) {
        await checkGroup(input, job, progress);
        throwIfOver();
      }
      showStep(progress, 'TriggerBuild');
      // A run that was reset, or that resumes a job without a build_id, does not know of earlier POSTs.
      const { runId, firstExecutionRunId } = workflowInfo();
      const may_be_sent = progress.resumption !== undefined || runId !== firstExecutionRunId || undefined;
      const onItsQueue = { ...trigger, taskQueue: triggersQueueOf(workflowInfo().taskQueue) };
      const answer = await onceReadable(progress, 'TriggerBuild', () =>
        triggerBuild.executeWithOptions(onItsQueue, [defined({ ...target, may_be_sent }), input.build_body]),
      );
      requireAnswer(buildIdFault((answer as typeof answer | null)?.build_id) === undefined, 'TriggerBuild');
      progress.build_id = answer.build_id;
    }

    const intervalMs = (input.poll_interval_seconds ?? DEFAULT_POLL_INTERVAL_SECONDS) * 1000;
    for (let hasWaited = false; ; hasWaited = true) {
      if (isContinueAsNewDue(hasWaited)) await goOnAsNew(input, progress);
      await waitForBuildStatus(progress, intervalMs + (progress.polls === 0 && !hasWaited ? pollSpreadMs(input) : 0));

      throwIfOver();
      showStep(progress, 'GetBuildStatus');
      const inTime = defined({ ...poll, scheduleToCloseTimeout: leftMs() });
      let answer: BuildStatusAnswer;
      try {
        answer = await getBuildStatus.executeWithOptions(inTime, [target, progress.build_id]);
      } catch (err) {
        throw asOnReplay(err);
      }

      switch (takePoll(progress, answer)) {
        case 'deferred':
        case 'undecided':
          continue;
        case 'succeeded':
          return { status: 'COMPLETE' };
        case 'failed':
          return failed(generateBuildStatusErrorMessage(progress.build_id, answer));
      }
    }
  });
}

/** Ends the workflow with nothing written. */
function refuse(step: string | undefined, refusal: Refusal): never {
  showEndStatus('FAILED');
  countRefused(refusal.type);
  logRefused(step, refusal.type, refusal.message);
  throw ApplicationFailure.create({ ...refusal, nonRetryable: true });
}

function conclude(ending: Ending, outcome: RoleBuildOutcome): RoleBuildOutcome | Promise<never> {
  switch (ending.status) {
    case 'COMPLETE':
      return outcome;
    case 'FAILED':
      throw ApplicationFailure.create({
        type: ending.error_info.Error,
        message: ending.error_info.Cause,
        nonRetryable: true,
        details: [outcome],
      });
    case 'CANCELLED':
      return endAsCancelled();
  }
}
