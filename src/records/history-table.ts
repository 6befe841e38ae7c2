/**
 * The history record: what became of a request.
 * Table `iam_orchestrator_request_history`, key `request_id`, which is the request's `correlation_id`.
 */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { EndStatus, RecordStatus } from '../domain/record-status.ts';
import type { PreviousJob } from '../domain/resumption.ts';
import type { HistoryRequest } from '../domain/role-build-input.ts';
import { asRecord, type AsRead } from './attributes.ts';
import { plainItem, readItem, type RecordTables } from './items.ts';
import { HISTORY_INDEX_NAME } from './names.ts';
import { either, own, ownInProgress, putIf, replaceable, updateIf, type Condition, type Written } from './write.ts';

/** Attributes as in the original's InsertRequestHistory, and ours below the blank line. */
export interface HistoryRecord extends Job {
  request_id: string;
  account_id: string;
  resource: string;
  action: string;
  status: RecordStatus;
  trace_header: string;

  /** ISO 8601, UTC. */
  updated_at: string;
  requested_by?: string;
  build_id?: string;
  error_info?: ErrorInfo;
  /** Who asked Temporal to cancel, in Temporal's words for it: `user@host` where it was our command line. */
  cancelled_by?: string;
  /** After a resume: how the jobs before it ended, oldest first. */
  previous_jobs?: PreviousJob[];
}

/** As it was read: whatever others may have left there. */
export type ReadHistoryRecord = AsRead<HistoryRecord> & { request_id: string };

const ABSENT: Condition = { anyOf: ['attribute_not_exists(#request_id)'], values: {} };

/** A request ID that another account or resource has is left to it. */
function ofSameBuild({ account_id, resource }: HistoryRequest, { anyOf, values }: Condition): Condition {
  return {
    anyOf: anyOf.map((one) => `#account_id = :account_id AND #resource = :resource AND ${one}`),
    values: { ...values, ':account_id': account_id, ':resource': resource },
  };
}

function replaceableBy({ take_over, resumption }: HistoryRequest, job: Job): Condition {
  return replaceable(job, { take_over: take_over === true, resumes: resumption?.resumes });
}

/** Holds where there is no record, or one of the same build: an older job's to replace, or this job's that has not ended. */
export function putHistoryRecord(tables: RecordTables, request: HistoryRequest, job: Job): Promise<Written> {
  const record: HistoryRecord = {
    request_id: request.correlation_id,
    account_id: request.account_id,
    resource: request.resource,
    action: request.action,
    job_id: job.job_id,
    start_at: job.start_at,
    status: 'IN_PROGRESS',
    trace_header: request.trace_header,
    updated_at: new Date().toISOString(),
    ...(request.requested_by === undefined ? {} : { requested_by: request.requested_by }),
    ...(request.resumption?.build_id === undefined ? {} : { build_id: request.resumption.build_id }),
    ...(request.resumption === undefined ? {} : { previous_jobs: request.resumption.previous_jobs }),
  };
  const replaced = ofSameBuild(request, either(ownInProgress(job), replaceableBy(request, job)));
  return putIf(tables, 'history', record, either(ABSENT, replaced));
}

/**
 * The last write, whatever end stands in this job's record. Fills in the whole record, because its put may be what failed;
 * attributes that an older job of the same request left, and this one doesn't have, go.
 *
 * @param mayCreate `false` holds the write to a record that is this job's already
 */
export function endHistoryRecord(
  tables: RecordTables,
  request: HistoryRequest,
  job: Job,
  end: { status: EndStatus; build_id?: string; error_info?: ErrorInfo; cancelled_by?: string },
  mayCreate: boolean,
): Promise<Written> {
  const attributes = {
    account_id: request.account_id,
    resource: request.resource,
    action: request.action,
    job_id: job.job_id,
    start_at: job.start_at,
    status: end.status,
    trace_header: request.trace_header,
    updated_at: new Date().toISOString(),
    requested_by: request.requested_by,
    build_id: end.build_id,
    error_info: end.error_info,
    cancelled_by: end.cancelled_by,
    previous_jobs: request.resumption?.previous_jobs,
  };
  const condition = mayCreate ? either(own(job), ABSENT, ofSameBuild(request, replaceableBy(request, job))) : own(job);
  return updateIf(tables, 'history', { request_id: request.correlation_id }, attributes, condition);
}

/** The record as it stands (a consistent read), or `undefined`. */
export async function readHistoryRecord(
  tables: RecordTables,
  request_id: string,
): Promise<ReadHistoryRecord | undefined> {
  const item = await readItem(tables, 'history', { request_id });
  return item && { ...asRecord<HistoryRecord>('history', item), request_id };
}

/** Where a page of {@link queryHistory} ended, in the index's own texts. */
export type HistoryPosition = Pick<HistoryRecord, 'request_id' | 'account_id' | 'start_at'>;

/**
 * An account's requests, newest first, from the index that `setup` adds: a page of them, which may be empty before the end.
 *
 * @throws ValidationException where the table has no such index
 */
export async function queryHistory(
  tables: RecordTables,
  accountId: string,
  options: { resource?: string; since?: string; after?: HistoryPosition },
): Promise<{ requests: { record: ReadHistoryRecord; position: HistoryPosition }[]; next?: HistoryPosition }> {
  const { resource, since, after } = options;
  const { Items = [], LastEvaluatedKey } = await tables.client.send(
    new QueryCommand({
      TableName: tables.historyTable,
      IndexName: HISTORY_INDEX_NAME,
      ScanIndexForward: false,
      KeyConditionExpression: `account_id = :account_id${since === undefined ? '' : ' AND start_at >= :since'}`,
      ExpressionAttributeValues: {
        ':account_id': { S: accountId },
        ...(since === undefined ? {} : { ':since': { S: since } }),
        ...(resource === undefined ? {} : { ':resource': { S: resource } }),
      },
      ...(resource === undefined
        ? {}
        : { FilterExpression: '#resource = :resource', ExpressionAttributeNames: { '#resource': 'resource' } }),
      ...(after === undefined
        ? {}
        : { ExclusiveStartKey: Object.fromEntries(Object.entries(after).map(([name, text]) => [name, { S: text }])) }),
    }),
  );
  const requests = Items.map(plainItem).map((item) => {
    const { request_id, account_id, start_at } = item as unknown as HistoryPosition;
    const record = { ...asRecord<HistoryRecord>('history', item), request_id };
    return { record, position: { request_id, account_id, start_at } };
  });
  const next = LastEvaluatedKey && (plainItem(LastEvaluatedKey) as unknown as HistoryPosition);
  return { requests, ...(next === undefined ? {} : { next }) };
}
