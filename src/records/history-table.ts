/**
 * The history record: what became of a request.
 * Table `iam_orchestrator_request_history`, key `request_id`, which is the request's `correlation_id`.
 */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { defined } from '../domain/defined.ts';
import type { Job } from '../domain/identity.ts';
import type { HistoryRequest } from '../domain/role-build-input.ts';
import { asRecord, type AsRead, type RecordOf } from './attributes.ts';
import { plainItem, readItem, type RecordTables } from './items.ts';
import { HISTORY_INDEX_NAME } from './names.ts';
import {
  either,
  own,
  ownInProgress,
  putIf,
  replaceable,
  updateIf,
  type Condition,
  type EndOf,
  type WriteResult,
} from './write.ts';

export type HistoryRecord = RecordOf<'history'>;

/** A record as read. Other programs write to the table too, so any attribute can be missing or malformed. */
export type ReadHistoryRecord = AsRead<HistoryRecord> & { request_id: string };

const ABSENT: Condition = { anyOf: ['attribute_not_exists(#request_id)'], values: {} };

/** Protects the record of another account or resource that has the same request ID. */
function ofSameBuild({ account_id, resource }: HistoryRequest, { anyOf, values }: Condition): Condition {
  return {
    anyOf: anyOf.map((one) => `#account_id = :account_id AND #resource = :resource AND ${one}`),
    values: { ...values, ':account_id': account_id, ':resource': resource },
  };
}

function replaceableBy({ take_over, resumption }: HistoryRequest, job: Job): Condition {
  return replaceable(job, { take_over: take_over === true, resumes: resumption?.resumes });
}

function attributesOf(
  { account_id, resource, action, trace_header, requested_by, resumption }: HistoryRequest,
  job: Job,
) {
  const { job_id, start_at } = job;
  const updated_at = new Date().toISOString();
  const previous_jobs = resumption?.previous_jobs;
  return { account_id, resource, action, job_id, start_at, trace_header, updated_at, requested_by, previous_jobs };
}

/** Succeeds if there is none, or one of the same build: an older job's to replace, or this job's that has not ended. */
export function putHistoryRecord(tables: RecordTables, request: HistoryRequest, job: Job): Promise<WriteResult> {
  const record: HistoryRecord = defined({
    request_id: request.correlation_id,
    ...attributesOf(request, job),
    status: 'IN_PROGRESS' as const,
    build_id: request.resumption?.build_id,
  });
  const replaced = ofSameBuild(request, either(ownInProgress(job), replaceableBy(request, job)));
  return putIf(tables, 'history', record, either(ABSENT, replaced));
}

/**
 * The final update of the record, whatever end this job's record has. Writes the whole record, because its put may have
 * failed. Removes attributes that an older job of the request left and this job doesn't have.
 *
 * @param mayCreate `false` limits the write to a record that is already this job's
 */
export function endHistoryRecord(
  tables: RecordTables,
  request: HistoryRequest,
  job: Job,
  end: EndOf,
  mayCreate: boolean,
): Promise<WriteResult> {
  const attributes = {
    ...attributesOf(request, job),
    // Attributes that this end does not have are removed.
    build_id: undefined,
    error_info: undefined,
    cancelled_by: undefined,
    ...end,
  };
  const condition = mayCreate ? either(own(job), ABSENT, ofSameBuild(request, replaceableBy(request, job))) : own(job);
  return updateIf(tables, 'history', { request_id: request.correlation_id }, attributes, condition);
}

/** Reads the record (a consistent read); `undefined` if there is none. */
export async function readHistoryRecord(
  tables: RecordTables,
  request_id: string,
): Promise<ReadHistoryRecord | undefined> {
  const item = await readItem(tables, 'history', { request_id });
  return item && { ...asRecord<HistoryRecord>('history', item), request_id };
}

/** Where a page of {@link queryHistory} ended, by the keys of the index. */
export type HistoryPosition = Pick<HistoryRecord, 'request_id' | 'account_id' | 'start_at'>;

/**
 * Reads a page of an account's requests, newest first, from `setup`'s index. A page before the end may be empty.
 *
 * @throws ValidationException if the table has no such index
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
      ExpressionAttributeValues: defined({
        ':account_id': { S: accountId },
        ':since': since === undefined ? undefined : { S: since },
        ':resource': resource === undefined ? undefined : { S: resource },
      }),
      FilterExpression: resource === undefined ? undefined : '#resource = :resource',
      ExpressionAttributeNames: resource === undefined ? undefined : { '#resource': 'resource' },
      ExclusiveStartKey: after && Object.fromEntries(Object.entries(after).map(([name, text]) => [name, { S: text }])),
    }),
  );
  const requests = Items.map(plainItem).map((item) => {
    const { request_id, account_id, start_at } = item as unknown as HistoryPosition;
    const record = { ...asRecord<HistoryRecord>('history', item), request_id };
    return { record, position: { request_id, account_id, start_at } };
  });
  const next = LastEvaluatedKey && (plainItem(LastEvaluatedKey) as unknown as HistoryPosition);
  return defined({ requests, next });
}
