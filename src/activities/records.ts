import { ApplicationFailure } from '@temporalio/activity';
import { DynamoDBServiceException } from '@aws-sdk/client-dynamodb';
import type { AllowedOrigins } from '../build-api/origins.ts';
import type { ErrorInfo } from '../domain/failures.ts';
import type { EndStatus } from '../domain/record-status.ts';
import type { Resumption } from '../domain/resumption.ts';
import { describeFaults, inputFaults, resumptionFaults, type Fault } from '../domain/validate-input.ts';
import { endHistoryRecord, putHistoryRecord, readHistoryRecord } from '../records/history-table.ts';
import { endStatusRecord, putStatusRecord, readStatusRecord } from '../records/status-table.ts';
import { isHeldByStepFunctions, type FoundRecord, type RecordTables } from '../records/write.ts';
import type { EndOfHistory, EndOfRecord, Holder, RoleBuildActivities } from './types.ts';

type RecordActivities = Omit<RoleBuildActivities, 'triggerBuild' | 'getBuildStatus'>;

/** The activities that write the two records. */
export function createRecordActivities(
  tables: RecordTables,
  allowedOrigins: AllowedOrigins,
  whoCancelled: () => Promise<string | undefined>,
): RecordActivities {
  const endRecord = (end: EndOfRecord, status: EndStatus, error_info?: ErrorInfo): Promise<Holder> =>
    recordWrite(async () => {
      const ending = { status, ...pickBuildId(end), ...(error_info === undefined ? {} : { error_info }) };
      if (await endStatusRecord(tables, end, end.job, ending)) return null;
      return newerHolder(await readStatusRecord(tables, end), end.job);
    });

  const endHistory = (
    end: EndOfHistory,
    status: EndStatus,
    more: { error_info?: ErrorInfo; cancelled_by?: string } = {},
  ): Promise<Holder> =>
    recordWrite(async () => {
      const ending = { status, ...pickBuildId(end), ...more };
      // A first put that took effect unanswered shows in the status record by now: then there are to be both records.
      const mayCreate = end.may_create || (await readStatusRecord(tables, end.request))?.job_id === end.job.job_id;
      if (await endHistoryRecord(tables, end.request, end.job, ending, mayCreate)) return null;
      const found = await readHistoryRecord(tables, end.request.correlation_id);
      return isOfAnother(found, end.request) ? null : newerHolder(found, end.job);
    });

  return {
    async upsertRequestRecord(input, job, resumption) {
      refuseInvalid(input, allowedOrigins, resumption);
      return recordWrite(async () => {
        if (await putStatusRecord(tables, input, job, resumption)) return null;
        const key = { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key };
        const found = await readStatusRecord(tables, key);
        const holder = refusedBy(found, job, 'status');
        if (found !== undefined && found.start_at < job.start_at) throw heldByOlder(found, 'status', resumption);
        return holder;
      });
    },

    insertRequestHistory: (request, job) =>
      recordWrite(async () => {
        if (await putHistoryRecord(tables, request, job)) return null;
        const found = await readHistoryRecord(tables, request.correlation_id);
        if (found !== undefined && isOfAnother(found, request)) {
          throw ApplicationFailure.nonRetryable(
            `the request ID ${request.correlation_id} belongs to ${found.resource} in account ${found.account_id}`,
            'RecordWriteFailed',
          );
        }
        const holder = refusedBy(found, job, 'history');
        if (found !== undefined && found.start_at < job.start_at) {
          const { message, nonRetryable } = heldByOlder(found, 'history', request.resumption);
          throw ApplicationFailure.create({ message, type: 'RecordWriteFailed', nonRetryable: nonRetryable === true });
        }
        return holder;
      }),

    updateSuccessfulRecord: (end) => endRecord(end, 'COMPLETE'),
    updateSuccessfulHistory: (end) => endHistory(end, 'COMPLETE'),
    updateFailedRecord: (end, errorInfo) => endRecord(end, 'FAILED', errorInfo),
    updateFailedHistory: (end, errorInfo) => endHistory(end, 'FAILED', { error_info: errorInfo }),
    updateCancelledRecord: (end) => endRecord(end, 'CANCELLED'),
    updateCancelledHistory: async (end) => {
      const who = await whoCancelled();
      return endHistory(end, 'CANCELLED', who === undefined ? {} : { cancelled_by: who });
    },
  };
}

/** The client checks too, but any Temporal client may start the workflow: what counts is checked here. */
function refuseInvalid(input: unknown, allowedOrigins: AllowedOrigins, resumption: unknown): void {
  const faults: Fault[] = inputFaults(input);
  if (resumption !== undefined && resumption !== null) faults.push(...resumptionFaults(resumption));
  const url = (input as { url?: unknown } | null | undefined)?.url;
  if (typeof url === 'string' && !faults.some(({ path }) => path === 'url')) {
    const message = allowedOrigins.faultOf(url);
    if (message !== undefined) faults.push({ path: 'url', message });
  }
  if (faults.length === 0) return;
  throw ApplicationFailure.create({
    message: `the input was refused: ${describeFaults(faults)}`,
    type: 'InvalidInput',
    nonRetryable: true,
    details: [{ faults }],
  });
}

/** Who holds a record that refused this job's put. Where it is gone by now, the put is worth another attempt. */
function refusedBy(found: FoundRecord | undefined, job: { job_id: string }, which: string): Holder {
  if (found === undefined) {
    throw ApplicationFailure.retryable(`the ${which} record vanished while it was being written`, 'RecordWriteFailed');
  }
  if (found.job_id === job.job_id) {
    throw ApplicationFailure.nonRetryable(
      `this job's ${which} record has already ended ${found.status}`,
      'JobAlreadyEnded',
    );
  }
  return { job_id: found.job_id, start_at: found.start_at };
}

/** An older job's record stands in the way only where it is not to be replaced. If it may be by now, the put is worth another attempt. */
function heldByOlder(found: FoundRecord, which: string, resumption: Resumption | undefined): ApplicationFailure {
  if (resumption !== undefined && found.job_id !== resumption.resumes) {
    return ApplicationFailure.nonRetryable(
      `job ${resumption.resumes} was to be resumed, but the ${which} record is job ${found.job_id}'s by now`,
      'NothingToResume',
    );
  }
  if (resumption === undefined && isHeldByStepFunctions(found)) {
    return ApplicationFailure.nonRetryable(
      `the ${which} record is ${found.status} under ${found.job_id}, an execution of Step Functions; start with --take-over to replace it`,
      'HeldByStepFunctions',
    );
  }
  return ApplicationFailure.retryable(`the ${which} record changed while it was being written`, 'RecordWriteFailed');
}

/** The job that holds a record which refused this job's last write, where it is a newer one. */
function newerHolder(found: FoundRecord | undefined, job: { job_id: string; start_at: string }): Holder {
  if (found === undefined || found.job_id === job.job_id || found.start_at < job.start_at) return null;
  return { job_id: found.job_id, start_at: found.start_at };
}

function isOfAnother(found: FoundRecord | undefined, key: { account_id: string; resource: string }): boolean {
  return found !== undefined && (found.account_id !== key.account_id || found.resource !== key.resource);
}

function pickBuildId(end: { build_id?: string }): { build_id?: string } {
  return end.build_id === undefined ? {} : { build_id: end.build_id };
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
