/**
 * The status record: what the last build of an account and resource is doing.
 * Table `iam_orchestrator_execution_status`, key `account_id` + `resource`.
 */
import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { EndStatus, RecordStatus } from '../domain/record-status.ts';
import type { Resumption } from '../domain/resumption.ts';
import { statusAttributesOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import { holds, mayReplace, type FoundRecord, type RecordTables } from './write.ts';

/** Attributes as in the original's UpsertRequestRecord, and ours below the blank line. */
export interface StatusRecord extends Job {
  account_id: string;
  resource: string;
  build_type: string;
  action: string;
  custom_role_name: string;
  dry_run: boolean;
  status: RecordStatus;
  correlation_id: string;
  trace_header: string;

  /** ISO 8601, UTC. */
  updated_at: string;
  build_id?: string;
  error_info?: ErrorInfo;
}

export interface StatusKey {
  account_id: string;
  resource: string;
}

/** @returns whether it was written; not where {@link mayReplace} says no */
export function putStatusRecord(
  tables: RecordTables,
  input: RoleBuildInput,
  job: Job,
  resumption?: Resumption,
): Promise<boolean> {
  const replaced = mayReplace(job, { take_over: input.take_over === true, resumes: resumption?.resumes });
  const Item: StatusRecord = {
    ...statusAttributesOf(input),
    job_id: job.job_id,
    start_at: job.start_at,
    status: 'IN_PROGRESS',
    updated_at: new Date().toISOString(),
    ...(resumption?.build_id === undefined ? {} : { build_id: resumption.build_id }),
  };
  return holds(
    tables.client.send(
      new PutCommand({
        TableName: tables.statusTable,
        Item,
        ConditionExpression: ['attribute_not_exists(account_id)', ...replaced.anyOf].join(' OR '),
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: replaced.values,
      }),
    ),
  );
}

/** @returns whether it was written; only this job's own record is */
export function endStatusRecord(
  tables: RecordTables,
  key: StatusKey,
  job: Job,
  end: { status: EndStatus; build_id?: string; error_info?: ErrorInfo },
): Promise<boolean> {
  const more = { build_id: end.build_id, error_info: end.error_info };
  const present = Object.entries(more).filter(([, value]) => value !== undefined);
  return holds(
    tables.client.send(
      new UpdateCommand({
        TableName: tables.statusTable,
        Key: { account_id: key.account_id, resource: key.resource },
        UpdateExpression: ['SET #exe_status = :new_status', 'updated_at = :updated_at']
          .concat(present.map(([name]) => `${name} = :${name}`))
          .join(', '),
        ConditionExpression: 'job_id = :job_id',
        ExpressionAttributeNames: { '#exe_status': 'status' },
        ExpressionAttributeValues: {
          ':new_status': end.status,
          ':updated_at': new Date().toISOString(),
          ':job_id': job.job_id,
          ...Object.fromEntries(present.map(([name, value]) => [`:${name}`, value])),
        },
      }),
    ),
  );
}

/** The record as it stands (a consistent read), or `undefined`. */
export async function readStatusRecord(tables: RecordTables, key: StatusKey): Promise<StatusRecord | undefined> {
  const { Item } = await tables.client.send(
    new GetCommand({
      TableName: tables.statusTable,
      Key: { account_id: key.account_id, resource: key.resource },
      ConsistentRead: true,
    }),
  );
  return Item as (StatusRecord & FoundRecord) | undefined;
}
