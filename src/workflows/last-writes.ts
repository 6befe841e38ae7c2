import { ActivityFailure, CancellationScope, patched, proxyActivities, sleep } from '@temporalio/workflow';
import type { EndOfHistory, EndOfRecord, LastWriteResult, RoleBuildActivities } from '../activities/types.ts';
import type { Job } from '../domain/identity.ts';
import { hasInputShape, historyRequestOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import { LAST_WRITE_WAIT, LATE_PUT_MS, recordWrite } from './activity-options.ts';
import { code, showStep } from './details.ts';
import { goOnAsNew, isContinueAsNewDue, isContinued } from './long-build.ts';
import { countContested, countFailedRound } from './metrics.ts';
import type { Ending, Progress } from '../domain/progress.ts';
import { showEndStatus } from './search-attributes.ts';

const complete = proxyActivities<RoleBuildActivities>({ ...recordWrite, summary: 'COMPLETE' });
const failed = proxyActivities<RoleBuildActivities>({ ...recordWrite, summary: 'FAILED' });
const cancelled = proxyActivities<RoleBuildActivities>({ ...recordWrite, summary: 'CANCELLED' });

/**
 * Writes a build's end to both records and does not return before they are right, however long that takes. A
 * cancellation that arrives meanwhile changes nothing any more. Writes nothing where the first put was never tried,
 * or can't have been taken, since what would be written is not there.
 */
export async function writeEnding(input: RoleBuildInput, job: Job, progress: Progress, ending: Ending): Promise<void> {
  if (progress.record === 'absent' || !hasInputShape(input)) return;
  await CancellationScope.nonCancellable(async () => {
    const writes = lastWritesOf(input, job, progress, ending);
    if (progress.record === 'unknown' && patched('wait-for-a-late-put')) {
      await sleep(LATE_PUT_MS, { summary: 'UpsertRequestRecord: wait for an attempt that may still take effect' });
    }
    if (!progress.ended_record && progress.record !== 'contested') {
      await untilRight(input, progress, ending, writes.record);
    }
    progress.ended_record = true;
    if (!progress.ended_history) await untilRight(input, progress, ending, writes.history);
    progress.ended_history = true;
  });
}

interface LastWrite {
  state: string;
  write: () => Promise<LastWriteResult>;
}

function lastWritesOf(
  input: RoleBuildInput,
  job: Job,
  progress: Progress,
  ending: Ending,
): { record: LastWrite; history: LastWrite } {
  const request = historyRequestOf(input, progress.resumption);
  const built = progress.build_id === undefined ? {} : { build_id: progress.build_id };
  const { account_id, resource, correlation_id } = request;
  const record: EndOfRecord = { account_id, resource, correlation_id, job, ...built };
  const history: EndOfHistory = { request, job, ...built, may_create: progress.record !== 'unknown' && !isContinued() };
  switch (ending.status) {
    case 'COMPLETE':
      return {
        record: { state: 'UpdateSuccessfulRecord', write: () => complete.updateSuccessfulRecord(record) },
        history: { state: 'UpdateSuccessfulHistory', write: () => complete.updateSuccessfulHistory(history) },
      };
    case 'FAILED':
      return {
        record: { state: 'UpdateFailedRecord', write: () => failed.updateFailedRecord(record, ending.error_info) },
        history: { state: 'UpdateFailedHistory', write: () => failed.updateFailedHistory(history, ending.error_info) },
      };
    case 'CANCELLED':
      return {
        record: { state: 'UpdateCancelledRecord', write: () => cancelled.updateCancelledRecord(record) },
        history: { state: 'UpdateCancelledHistory', write: () => cancelled.updateCancelledHistory(history) },
      };
  }
}

/** Rounds of three attempts with a durable wait between them, until one is answered. */
async function untilRight(
  input: RoleBuildInput,
  progress: Progress,
  ending: Ending,
  { state, write }: LastWrite,
): Promise<void> {
  for (;;) {
    showStep(progress, state);
    let waitMs: number;
    try {
      const kept = await write();
      if (kept === null) progress.has_ended_a_record = true;
      else if ('job_id' in kept) {
        progress.contested = true;
        countContested(state);
      }
      delete progress.last_write_wait_ms;
      return;
    } catch (err) {
      if (!(err instanceof ActivityFailure)) throw err;
      const why = err.cause?.message ?? err.message;
      waitMs = nextWaitMs(progress.last_write_wait_ms);
      const next = new Date(Date.now() + waitMs).toISOString();
      showStep(progress, state, `failed (${code(why)}); it is never given up and tried again at ${next}`);
      countFailedRound(state);
    }
    showThatItWaits(progress, ending);
    await sleep(waitMs, { summary: `${state}: wait to try again` });
    progress.last_write_wait_ms = waitMs;
    if (isContinueAsNewDue(true)) await goOnAsNew(input, progress);
  }
}

/** From here on visibility finds the build by an end that it has and that its records lack: workers count those. */
function showThatItWaits(progress: Progress, { status }: Ending): void {
  if (progress.shown_waiting === true || !patched('show-end-while-last-writes-wait')) return;
  showEndStatus(status);
  progress.shown_waiting = true;
}

function nextWaitMs(lastMs: number | undefined): number {
  if (lastMs === undefined) return LAST_WRITE_WAIT.firstMs;
  return Math.min(lastMs * LAST_WRITE_WAIT.backoffCoefficient, LAST_WRITE_WAIT.maxMs);
}
