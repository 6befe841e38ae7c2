/**
 * The status record: what the last build of an account and resource is doing.
 * Table `iam_orchestrator_execution_status`, key `account_id` + `resource`.
 */
import { QueryCommand, type AttributeValue } from '@aws-sdk/client-dynamodb';
import { defined } from '../domain/defined.ts';
import { differByCaseOnly, type Job } from '../domain/identity.ts';
import type { Resumption } from '../domain/resumption.ts';
import { statusAttributesOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import { asRecord, type AsRead, type RecordOf } from './attributes.ts';
import { plainItem, readItem, type RecordTables } from './items.ts';
import { either, own, ownInProgress, putIf, replaceable, updateIf, type EndOf, type WriteResult } from './write.ts';

export type StatusRecord = RecordOf<'status'>;

/** A record as read. Other programs write to the table too, so any attribute can be missing or malformed. */
export type ReadStatusRecord = AsRead<StatusRecord> & StatusKey;

export interface StatusKey {
  account_id: string;
  resource: string;
}

/** Succeeds if there is no record, an older job's that may be replaced, or this job's own that has not ended. */
export function putStatusRecord(
  tables: RecordTables,
  input: RoleBuildInput,
  job: Job,
  resumption?: Resumption,
): Promise<WriteResult> {
  const record: StatusRecord = defined({
    ...statusAttributesOf(input),
    job_id: job.job_id,
    start_at: job.start_at,
    status: 'IN_PROGRESS' as const,
    updated_at: new Date().toISOString(),
    build_id: resumption?.build_id,
  });
  const absent = { anyOf: ['attribute_not_exists(#account_id)'], values: {} };
  const older = replaceable(job, { take_over: input.take_over === true, resumes: resumption?.resumes });
  return putIf(tables, 'status', record, either(absent, ownInProgress(job), older));
}

/** The final update of the record. Writes only this job's own record, whatever end it has. */
export function endStatusRecord(
  tables: RecordTables,
  { account_id, resource }: StatusKey,
  job: Job,
  { status, build_id, error_info, ...group }: Omit<EndOf, 'cancelled_by'>,
): Promise<WriteResult> {
  const attributes = { status, updated_at: new Date().toISOString(), build_id, error_info, ...group };
  return updateIf(tables, 'status', { account_id, resource }, attributes, own(job));
}

/** Reads the record (a consistent read); `undefined` if there is none. */
export async function readStatusRecord(
  tables: RecordTables,
  { account_id, resource }: StatusKey,
): Promise<ReadStatusRecord | undefined> {
  const item = await readItem(tables, 'status', { account_id, resource });
  return item && { ...asRecord<StatusRecord>('status', item), account_id, resource };
}

/**
 * Finds an account's IN_PROGRESS records for a role whose name differs from the given one in case alone, since IAM
 * treats them as the same role. Reads all records of the account, some thousands at most.
 *
 * @param signal stops the search @throws if it does
 */
export async function findTwins(
  tables: RecordTables,
  { account_id, resource }: StatusKey,
  roleName: string,
  signal: AbortSignal,
): Promise<ReadStatusRecord[]> {
  const twins: ReadStatusRecord[] = [];
  let ExclusiveStartKey: Record<string, AttributeValue> | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await tables.client.send(
      new QueryCommand({
        TableName: tables.statusTable,
        KeyConditionExpression: 'account_id = :account_id',
        FilterExpression: '#status = :in_progress',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':account_id': { S: account_id }, ':in_progress': { S: 'IN_PROGRESS' } },
        ExclusiveStartKey,
      }),
      { abortSignal: signal },
    );
    for (const item of Items.map(plainItem)) {
      const record = { ...asRecord<StatusRecord>('status', item), account_id, resource: String(item['resource']) };
      const { resource: other, custom_role_name: otherName = '' } = record;
      if (differByCaseOnly(other, resource) || differByCaseOnly(otherName, roleName)) twins.push(record);
    }
    ExclusiveStartKey = LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return twins;
}
