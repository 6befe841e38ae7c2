/** Conditional writes. Each is one request. If the condition fails, the write returns the item that is there. */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { isStepFunctionsJob, STEP_FUNCTIONS_JOB_PREFIX, type Job } from '../domain/identity.ts';
import type { DirectoryGroup } from '../domain/directory-group.ts';
import type { ErrorInfo } from '../domain/failures.ts';
import type { EndStatus } from '../domain/record-status.ts';
import { asRecord, type AsRead } from './attributes.ts';
import { KEYS, plainItem, readItem, tableName, type Item, type RecordTables, type Table } from './items.ts';

/** What a record as read says about its job. */
export type FoundRecord = AsRead<Job & { account_id: string; resource: string; status: string }>;

/** The result of a conditional write. `found` is the record that failed the condition; `undefined` if none exists. */
export type WriteResult = { written: true } | { written: false; found: FoundRecord | undefined };

/** What a final update writes in addition to the job. */
export interface EndOf {
  status: EndStatus;
  build_id?: string | undefined;
  error_info?: ErrorInfo | undefined;
  directory_group?: DirectoryGroup | null;
  /** Only in the history record. */
  cancelled_by?: string | undefined;
}

/** Whether a record, which may hold anything, is IN_PROGRESS under a Step Functions execution. */
export function isHeldByStepFunctions(record: { job_id?: unknown; status?: unknown } | undefined): boolean {
  return record?.status === 'IN_PROGRESS' && isStepFunctionsJob(record.job_id);
}

/** A condition of DynamoDB, with `#name` for each attribute. */
export interface Condition {
  /**
   * Alternatives without parentheses, to be joined by OR, which binds weakest. The parser of dynalite backtracks on
   * parentheses: it took 20 ms for a condition of ours that was three levels deep.
   */
  anyOf: string[];
  values: Item;
}

export function putIf(
  tables: RecordTables,
  table: Table,
  record: object,
  { anyOf, values }: Condition,
): Promise<WriteResult> {
  const Item: Item = { ...record };
  const condition = anyOf.join(' OR ');
  const command = new PutCommand({
    TableName: tableName(tables, table),
    Item,
    ConditionExpression: condition,
    ExpressionAttributeNames: namesIn(condition),
    ExpressionAttributeValues: values,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  return resultOf(tables, table, Item, () => tables.client.send(command));
}

/** Sets attributes, and removes those that are `undefined` or `null`. */
export function updateIf(
  tables: RecordTables,
  table: Table,
  key: Item,
  attributes: Item,
  { anyOf, values }: Condition,
): Promise<WriteResult> {
  const all = Object.entries(attributes);
  const set = all.filter(([, value]) => (value ?? undefined) !== undefined);
  const removed = all.filter(([, value]) => (value ?? undefined) === undefined).map(([name]) => `#${name}`);
  const update = `SET ${set.map(([name]) => `#${name} = :new_${name}`).join(', ')}`;
  const UpdateExpression = removed.length === 0 ? update : `${update} REMOVE ${removed.join(', ')}`;
  const condition = anyOf.join(' OR ');
  const command = new UpdateCommand({
    TableName: tableName(tables, table),
    Key: Object.fromEntries(KEYS[table].map((name) => [name, key[name]])),
    UpdateExpression,
    ConditionExpression: condition,
    ExpressionAttributeNames: namesIn(`${UpdateExpression} ${condition}`),
    ExpressionAttributeValues: {
      ...values,
      ...Object.fromEntries(set.map(([name, value]) => [`:new_${name}`, value])),
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  return resultOf(tables, table, key, () => tables.client.send(command));
}

/** DynamoDB reserves some names, which need placeholders, so every attribute has one. */
function namesIn(expression: string): Record<string, string> {
  return Object.fromEntries((expression.match(/#\w+/g) ?? []).map((name) => [name, name.slice(1)]));
}

async function resultOf(
  tables: RecordTables,
  table: Table,
  key: Item,
  write: () => Promise<unknown>,
): Promise<WriteResult> {
  try {
    await write();
    return { written: true };
  } catch (err) {
    if (!(err instanceof ConditionalCheckFailedException)) throw err;
    // DynamoDB returns no item if there is none, and stand-ins never do. This second read may see a later state.
    const item = err.Item === undefined ? await readItem(tables, table, key) : plainItem(err.Item);
    return { written: false, found: item && asRecord(table, item) };
  }
}

/** The record is this job's and has not ended. */
export function ownInProgress({ job_id }: Job): Condition {
  return {
    anyOf: ['#job_id = :job_id AND #status = :in_progress'],
    values: { ':job_id': job_id, ':in_progress': 'IN_PROGRESS' },
  };
}

/** The record is this job's, whatever its status. */
export function own({ job_id }: Job): Condition {
  return { anyOf: ['#job_id = :job_id'], values: { ':job_id': job_id } };
}

/**
 * The record is an older job's that may be replaced. A record that is IN_PROGRESS under Step Functions needs
 * `take_over`. With `resumes`, only that job's record may be replaced.
 */
export function replaceable(job: Job, options: { take_over: boolean; resumes: string | undefined }): Condition {
  const older = '#start_at < :start_at';
  const values = { ':start_at': job.start_at };
  if (options.resumes !== undefined) {
    return { anyOf: [`${older} AND #job_id = :resumes`], values: { ...values, ':resumes': options.resumes } };
  }
  if (options.take_over) return { anyOf: [older], values };
  return {
    anyOf: [`${older} AND NOT #status = :in_progress`, `${older} AND NOT begins_with(#job_id, :step_functions)`],
    values: { ...values, ':in_progress': 'IN_PROGRESS', ':step_functions': STEP_FUNCTIONS_JOB_PREFIX },
  };
}

/** Holds if any of the conditions holds. */
export function either(...conditions: readonly Condition[]): Condition {
  return {
    anyOf: conditions.flatMap(({ anyOf }) => anyOf),
    values: Object.assign({}, ...conditions.map(({ values }) => values)) as Item,
  };
}
