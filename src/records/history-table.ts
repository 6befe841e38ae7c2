/**
 * The history record: what became of a request.
 * Table `iam_orchestrator_request_history`, key `request_id`, which is the request's `correlation_id`.
 */
import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { EndStatus, RecordStatus } from '../domain/record-status.ts';
import type { PreviousJob } from '../domain/resumption.ts';
import type { HistoryRequest } from '../domain/role-build-input.ts';
import { HISTORY_INDEX_NAME } from './names.ts';
import { holds, mayReplace, type Condition, type FoundRecord, type RecordTables } from './write.ts';

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

const NAMES = { '#resource': 'resource', '#status': 'status' };

/** Holds where this job may write the whole record: none there, or one of the same account and resource to replace. */
function mayReplaceHistory(request: HistoryRequest, job: Job): Condition {
  const { anyOf, values } = mayReplace(job, {
    take_over: request.take_over === true,
    resumes: request.resumption?.resumes,
  });
  return {
    anyOf: [
      'attribute_not_exists(request_id)',
      ...anyOf.map((condition) => `account_id = :account_id AND #resource = :resource AND ${condition}`),
    ],
    values: { ...values, ':account_id': request.account_id, ':resource': request.resource },
  };
}

/** @returns whether it was written; see {@link readHistoryRecord} for who holds it where not */
export function putHistoryRecord(tables: RecordTables, request: HistoryRequest, job: Job): Promise<boolean> {
  const condition = mayReplaceHistory(request, job);
  const Item: HistoryRecord = {
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
  return holds(
    tables.client.send(
      new PutCommand({
        TableName: tables.historyTable,
        Item,
        ConditionExpression: condition.anyOf.join(' OR '),
        ExpressionAttributeNames: NAMES,
        ExpressionAttributeValues: condition.values,
      }),
    ),
  );
}

/**
 * The last write. Fills in the whole record, because its put may be what failed; attributes that an older job of the
 * same request left, and this one doesn't have, go.
 *
 * @param mayCreate `false` holds the write to a record that is this job's already
 * @returns whether it was written
 */
export function endHistoryRecord(
  tables: RecordTables,
  request: HistoryRequest,
  job: Job,
  end: { status: EndStatus; build_id?: string; error_info?: ErrorInfo; cancelled_by?: string },
  mayCreate: boolean,
): Promise<boolean> {
  const condition = mayCreate
    ? mayReplaceHistory(request, job)
    : {
        anyOf: ['job_id = :job_id AND #status = :in_progress'],
        values: { ':job_id': job.job_id, ':in_progress': 'IN_PROGRESS' },
      };
  const attributes = {
    account_id: request.account_id,
    resource: request.resource,
    action: request.action,
    job_id: job.job_id,
    start_at: job.start_at,
    trace_header: request.trace_header,
    updated_at: new Date().toISOString(),
    requested_by: request.requested_by,
    build_id: end.build_id,
    error_info: end.error_info,
    cancelled_by: end.cancelled_by,
    previous_jobs: request.resumption?.previous_jobs,
  };
  const entries = Object.entries(attributes);
  const present = entries.filter(([, value]) => value !== undefined);
  const absent = entries.filter(([, value]) => value === undefined).map(([name]) => `#${name}`);
  const set = ['#status = :new_status', ...present.map(([name]) => `#${name} = :${name}`)].join(', ');
  return holds(
    tables.client.send(
      new UpdateCommand({
        TableName: tables.historyTable,
        Key: { request_id: request.correlation_id },
        UpdateExpression: `SET ${set}${absent.length > 0 ? ` REMOVE ${absent.join(', ')}` : ''}`,
        ConditionExpression: condition.anyOf.join(' OR '),
        ExpressionAttributeNames: {
          '#status': 'status',
          ...Object.fromEntries(entries.map(([name]) => [`#${name}`, name])),
        },
        ExpressionAttributeValues: {
          ...condition.values,
          ':new_status': end.status,
          ...Object.fromEntries(present.map(([name, value]) => [`:${name}`, value])),
        },
      }),
    ),
  );
}

/** The record as it stands (a consistent read), or `undefined`. */
export async function readHistoryRecord(tables: RecordTables, requestId: string): Promise<HistoryRecord | undefined> {
  const { Item } = await tables.client.send(
    new GetCommand({ TableName: tables.historyTable, Key: { request_id: requestId }, ConsistentRead: true }),
  );
  return Item as (HistoryRecord & FoundRecord) | undefined;
}

/** Where a page of {@link queryHistory} ended. */
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
): Promise<{ records: HistoryRecord[]; next?: HistoryPosition }> {
  const { resource, since, after } = options;
  const { Items, LastEvaluatedKey } = await tables.client.send(
    new QueryCommand({
      TableName: tables.historyTable,
      IndexName: HISTORY_INDEX_NAME,
      ScanIndexForward: false,
      KeyConditionExpression: `account_id = :account_id${since === undefined ? '' : ' AND start_at >= :since'}`,
      ExpressionAttributeValues: {
        ':account_id': accountId,
        ...(since === undefined ? {} : { ':since': since }),
        ...(resource === undefined ? {} : { ':resource': resource }),
      },
      ...(resource === undefined
        ? {}
        : { FilterExpression: '#resource = :resource', ExpressionAttributeNames: { '#resource': 'resource' } }),
      ...(after === undefined ? {} : { ExclusiveStartKey: { ...after } }),
    }),
  );
  const next = LastEvaluatedKey as HistoryPosition | undefined;
  return { records: (Items ?? []) as HistoryRecord[], ...(next === undefined ? {} : { next }) };
}
