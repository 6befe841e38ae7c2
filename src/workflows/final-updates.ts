import { CancellationScope, patched, proxyActivities, sleep } from '@temporalio/workflow';
import type { EndOfHistory, EndOfRecord, RoleBuildActivities, Written } from '../activities/types.ts';
import { defined } from '../domain/defined.ts';
import { retrySummary } from '../contract.ts';
import type { Job } from '../domain/identity.ts';
import { hasInputShape, historyRequestOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import { LATE_PUT_MS, recordWrite } from './activity-options.ts';
import { isWritten } from './answers.ts';
import { isContinued } from './continue-as-new.ts';
import { countContested } from './metrics.ts';
import { inRounds } from './rounds.ts';
import type { Ending, Progress } from '../domain/progress.ts';
import { showEndStatus } from './search-attributes.ts';

/**
 * Writes a build's end to both records and returns once they are right, however long that takes. A cancellation
 * meanwhile has no effect. Writes nothing if the first put was never tried, or can't have taken effect: then there is
 * no record.
 */
export async function writeEnding(input: RoleBuildInput, job: Job, progress: Progress, ending: Ending): Promise<void> {
  if (progress.record === 'absent' || !hasInputShape(input)) return;
  await CancellationScope.nonCancellable(async () => {
    const writes = finalUpdatesOf(input, job, progress, ending);
    if (progress.record === 'unknown' && patched('wait-for-a-late-put')) {
      await sleep(LATE_PUT_MS, {
        summary: retrySummary('UpsertRequestRecord', 'wait for an attempt that may still take effect'),
      });
    }
    if (!progress.ended_record && progress.record !== 'contested') {
      await untilRight(input, progress, ending, writes.record);
    }
    progress.ended_record = true;
    if (!progress.ended_history) await untilRight(input, progress, ending, writes.history);
    progress.ended_history = true;
  });
}

function finalUpdatesOf(input: RoleBuildInput, job: Job, progress: Progress, ending: Ending) {
  const request = historyRequestOf(input, progress.resumption);
  const { account_id, resource, correlation_id } = request;
  const { build_id, directory_group } = progress;
  const may_create = progress.record !== 'unknown' && !isContinued();
  const record: EndOfRecord = defined({ account_id, resource, correlation_id, job, build_id, directory_group });
  // After an unanswered put, the history record may be an older job's, whose group `null` removes. A request without a
  // group makes the same writes as before there were groups.
  const isPut = !['UpsertRequestRecord', 'InsertRequestHistory'].includes(progress.step ?? '');
  const group = directory_group ?? (isPut || input.directory_group !== true ? undefined : null);
  const history: EndOfHistory = defined({ request, job, build_id, directory_group: group, may_create });
  const writes = proxyActivities<RoleBuildActivities>({ ...recordWrite, summary: ending.status });
  switch (ending.status) {
    case 'COMPLETE':
      return {
        record: { state: 'UpdateSuccessfulRecord', write: () => writes.updateSuccessfulRecord(record) },
        history: { state: 'UpdateSuccessfulHistory', write: () => writes.updateSuccessfulHistory(history) },
      };
    case 'FAILED':
      return {
        record: { state: 'UpdateFailedRecord', write: () => writes.updateFailedRecord(record, ending.error_info) },
        history: { state: 'UpdateFailedHistory', write: () => writes.updateFailedHistory(history, ending.error_info) },
      };
    case 'CANCELLED':
      return {
        record: { state: 'UpdateCancelledRecord', write: () => writes.updateCancelledRecord(record) },
        history: { state: 'UpdateCancelledHistory', write: () => writes.updateCancelledHistory(history) },
      };
  }
}

/** Makes rounds of three attempts with durable waits between them, until one succeeds. */
async function untilRight(
  input: RoleBuildInput,
  progress: Progress,
  ending: Ending,
  { state, write }: { state: string; write: () => Promise<Written> },
): Promise<void> {
  const written = await inRounds(input, progress, state, write, isWritten, () => {
    showThatItWaits(progress, ending);
    return { says: (why) => `failed (${why}); it is never given up and`, summary: 'wait to try again' };
  });
  if (written === null) progress.has_ended_a_record = true;
  else if ('job_id' in written) {
    progress.contested = true;
    countContested(state);
  }
}

/** Shows the end in visibility while the records don't have it yet. Workers count such builds. */
function showThatItWaits(progress: Progress, { status }: Ending): void {
  if (progress.shown_waiting === true || !patched('show-end-while-last-writes-wait')) return;
  showEndStatus(status);
  progress.shown_waiting = true;
}
