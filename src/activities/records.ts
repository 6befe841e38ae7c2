import { isDeepStrictEqual } from 'node:util';
import { ApplicationFailure } from '@temporalio/activity';
import { DynamoDBServiceException } from '@aws-sdk/client-dynamodb';
import { defined } from '../domain/defined.ts';
import { isRefusalName, type ErrorInfo } from '../domain/failures.ts';
import type { EndStatus } from '../domain/record-status.ts';
import type { Job } from '../domain/identity.ts';
import { wayToResume } from '../domain/previous-jobs.ts';
import type { Resumption } from '../domain/resumption.ts';
import { statusAttributesOf, type HistoryRequest, type RoleBuildInput } from '../domain/role-build-input.ts';
import { oddities } from '../records/attributes.ts';
import { endHistoryRecord, putHistoryRecord } from '../records/history-table.ts';
import { endStatusRecord, putStatusRecord, readStatusRecord, type ReadStatusRecord } from '../records/status-table.ts';
import { heldByStepFunctions, withoutStart } from '../records/conflict.ts';
import type { RecordTables } from '../records/items.ts';
import type { EndOf, FoundRecord, WriteResult } from '../records/write.ts';
import { refuseInvalid } from './input.ts';
import type { EndOfHistory, EndOfRecord, RoleBuildActivities, Written } from './types.ts';

type RecordActivities = Omit<RoleBuildActivities, 'triggerBuild' | 'getBuildStatus'>;

export function createRecordActivities(
  tables: RecordTables,
  allowedOrigins: readonly string[],
  whoCancelled: () => Promise<string | undefined>,
  attemptNow: () => number = () => 1,
): RecordActivities {
  const endRecord = (end: EndOfRecord, status: EndStatus, error_info?: ErrorInfo): Promise<Written> =>
    recordWrite(async () => {
      const { account_id, resource, job } = end;
      const key = { account_id, resource };
      return keptBy(await endStatusRecord(tables, key, job, { status, error_info, ...knownOf(end) }), job);
    });

  const endHistory = (
    end: EndOfHistory,
    status: EndStatus,
    more: Pick<EndOf, 'error_info' | 'cancelled_by'> = {},
  ): Promise<Written> =>
    recordWrite(async () => {
      const { request, job, may_create } = end;
      // If an unanswered first put took effect, the status record shows it by now, and both records must exist.
      const mayCreate = may_create || (await readStatusRecord(tables, request))?.job_id === job.job_id;
      const result = await endHistoryRecord(tables, request, job, { status, ...knownOf(end), ...more }, mayCreate);
      return !result.written && isOfAnother(result.found, request) ? { absent: true } : keptBy(result, job);
    });

  return {
    async upsertRequestRecord(input, job, resumption) {
      try {
        refuseInvalid(input, allowedOrigins, resumption);
        return await recordWrite(async () => {
          if (resumption !== undefined) await refuseOtherThanRecorded(tables, input, resumption);
          const result = await putStatusRecord(tables, input, job, resumption);
          return result.written ? null : holderOf(result.found, 'status', job, resumption);
        });
      } catch (err) {
        const isRefusal = err instanceof ApplicationFailure && isRefusalName(err.type);
        throw attemptNow() > 1 && isRefusal ? afterAPut(err) : err;
      }
    },

    insertRequestHistory: (request, job) =>
      recordWrite(async () => {
        const result = await putHistoryRecord(tables, request, job);
        if (result.written) return null;
        const { found } = result;
        if (isOfAnother(found, request)) throw givenUp(`the request ID ${request.correlation_id} ${belongsTo(found)}`);
        try {
          return holderOf(found, 'history', job, request.resumption);
        } catch (err) {
          const { message, type, nonRetryable } = err as ApplicationFailure;
          const hasEnded = type === 'JobAlreadyEnded';
          // If the status record is in progress, the job goes on and writes its end to both records.
          if (hasEnded && isInProgress(await readStatusRecord(tables, request), job)) return null;
          // The status record is already written, so no other failure is a refusal.
          const told = hasEnded ? type : 'RecordWriteFailed';
          throw ApplicationFailure.create({ message, type: told, nonRetryable: nonRetryable === true });
        }
      }),

    updateSuccessfulRecord: (end) => endRecord(end, 'COMPLETE'),
    updateSuccessfulHistory: (end) => endHistory(end, 'COMPLETE'),
    updateFailedRecord: (end, errorInfo) => endRecord(end, 'FAILED', errorInfo),
    updateFailedHistory: (end, errorInfo) => endHistory(end, 'FAILED', { error_info: errorInfo }),
    updateCancelledRecord: (end) => endRecord(end, 'CANCELLED'),
    updateCancelledHistory: async (end) => {
      return endHistory(end, 'CANCELLED', { cancelled_by: await whoCancelled() });
    },
  };
}

/** Picks attributes by name, because another client's workflow may send anything beside them. */
function knownOf({ build_id, directory_group }: Pick<EndOfHistory, 'build_id' | 'directory_group'>) {
  return defined({ build_id, directory_group });
}

/** An earlier attempt may have put the record, or still may. The workflow ends as refused only if none has. */
function afterAPut(refusal: ApplicationFailure): ApplicationFailure {
  const message = `${refusal.message}; an earlier attempt may have put the record`;
  return ApplicationFailure.create({ message, type: 'RecordWriteFailed', nonRetryable: true, cause: refusal });
}

/** Checks a resumption, which any client may send, against the record. @throws ApplicationFailure `NothingToResume` */
async function refuseOtherThanRecorded(
  tables: RecordTables,
  input: RoleBuildInput,
  resumption: Resumption,
): Promise<void> {
  const { resumes } = resumption;
  const key = { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key };
  const found = await readStatusRecord(tables, key);
  // Either this job's own put has taken effect, or another job holds the record. The put finds out.
  if (found !== undefined && found.job_id !== resumes) return;
  const why = found === undefined ? 'has no record' : whyNotResumed(found, input, resumption);
  if (why === undefined) return;
  throw ApplicationFailure.nonRetryable(`job ${resumes} was to be resumed, and ${why}`, 'NothingToResume');
}

/** A state machine's attribute that the record lacks does not contradict the start. */
function whyNotResumed(
  found: ReadStatusRecord,
  input: RoleBuildInput,
  { build_id, previous_jobs }: Resumption,
): string | undefined {
  const { status, error_info } = found;
  if (status !== 'FAILED') return `its record says ${status ?? 'no status'}, not FAILED`;
  if (error_info !== undefined && wayToResume(found, previous_jobs.slice(0, -1)) === undefined) {
    return `a build that ended with ${error_info.Error} is not resumed`;
  }
  // A repeated request may belong to another trace.
  const { trace_header: _, ...attributes } = statusAttributesOf(input);
  const given = { ...attributes, ...defined({ build_id }), sent_to: previous_jobs.at(-1)?.error_info?.sent_to };
  const recorded: Record<string, unknown> = {
    ...attributes,
    build_id: undefined,
    ...found,
    sent_to: error_info?.sent_to,
  };
  const other = Object.entries(given).find(([name, value]) => !isDeepStrictEqual(recorded[name], value));
  return other && `has another ${other[0]} in its record`;
}

/**
 * Returns the newer job that holds a record and made this job's put fail.
 *
 * @throws ApplicationFailure if no newer job holds it: a refusal, or `RecordWriteFailed`, retryable if the next attempt
 *   may find the record changed
 */
function holderOf(found: FoundRecord | undefined, which: string, job: Job, resumption: Resumption | undefined): Job {
  if (found === undefined) {
    throw ApplicationFailure.retryable(`the ${which} record vanished while it was being written`, 'RecordWriteFailed');
  }
  const { job_id = '(not named)', start_at, status } = found;
  if (job_id === job.job_id) {
    throw ApplicationFailure.nonRetryable(`this job's ${which} record has already ended ${status}`, 'JobAlreadyEnded');
  }
  if (start_at === undefined) throw givenUp(`the ${which} record is in the way: ${withoutStart(found)}`);
  if (start_at >= job.start_at) return { job_id, start_at };
  if (resumption !== undefined && job_id !== resumption.resumes) {
    throw ApplicationFailure.nonRetryable(
      `job ${resumption.resumes} was to be resumed, but the ${which} record now belongs to job ${job_id}`,
      'NothingToResume',
    );
  }
  const held = resumption === undefined ? heldByStepFunctions(found) : undefined;
  if (held !== undefined) {
    throw ApplicationFailure.nonRetryable(`the ${which} record is in the way: ${held}`, 'HeldByStepFunctions');
  }
  throw ApplicationFailure.retryable(`the ${which} record changed while it was being written`, 'RecordWriteFailed');
}

/** Returns what kept this job's final update from being made; `null` if it was made. */
function keptBy(result: WriteResult, job: Job): Written {
  if (result.written) return null;
  const { job_id = '(not named)', start_at = '' } = result.found ?? {};
  return job_id !== job.job_id && start_at >= job.start_at ? { job_id, start_at } : { absent: true };
}

function isInProgress(status: FoundRecord | undefined, { job_id }: Job): boolean {
  return status?.job_id === job_id && status.status === 'IN_PROGRESS';
}

function isOfAnother(found: FoundRecord | undefined, { account_id, resource }: HistoryRequest): boolean {
  return found !== undefined && (found.account_id !== account_id || found.resource !== resource);
}

function belongsTo(found: FoundRecord | undefined): string {
  const { account_id, resource } = found ?? {};
  return account_id === undefined || resource === undefined
    ? `has a history record that does not say whose it is (${oddities(found ?? {})}): repair or delete that item, or give the request another ID`
    : `belongs to ${resource} in account ${account_id}`;
}

/** Another attempt would fail in the same way. */
function givenUp(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'RecordWriteFailed');
}

async function recordWrite<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (err) {
    if (err instanceof ApplicationFailure || !(err instanceof Error)) throw err;
    const where = err instanceof DynamoDBServiceException ? `DynamoDB answered ${err.name}` : 'DynamoDB did not answer';
    throw ApplicationFailure.create({ message: `${where}: ${err.message}`, type: 'RecordWriteFailed', cause: err });
  }
}
