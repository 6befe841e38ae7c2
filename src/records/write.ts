import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { isStepFunctionsJob, STEP_FUNCTIONS_JOB_PREFIX, type Job } from '../domain/identity.ts';

/** The two tables and the way to them. */
export interface RecordTables {
  client: DynamoDBDocumentClient;
  statusTable: string;
  historyTable: string;
}

/** What is looked at in a record that a condition has kept from being written. */
export interface FoundRecord {
  account_id: string;
  resource: string;
  job_id: string;
  start_at: string;
  status: string;
}

/** Whether a record is IN_PROGRESS under an execution of the original. */
export function isHeldByStepFunctions(record: Pick<FoundRecord, 'job_id' | 'status'> | undefined): boolean {
  return record?.status === 'IN_PROGRESS' && isStepFunctionsJob(record.job_id);
}

/** Runs a conditional write. @returns whether its condition held */
export async function holds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (err) {
    if (err instanceof ConditionalCheckFailedException) return false;
    throw err;
  }
}

/** Part of a condition, with `#status` for the attribute `status`. */
export interface Condition {
  /**
   * Each without parentheses, to be joined by OR, the weakest operator of all: the parser of dynalite tries the inside of
   * parentheses again for each way that they could be meant, 20 ms for one of ours that were three deep.
   */
  anyOf: string[];
  values: Record<string, string>;
}

/**
 * Holds where a record that is there may become this job's: an older job's, or its own that has not ended. An older one that
 * is IN_PROGRESS under Step Functions only with `take_over`; with `resumes` no other than that job's.
 */
export function mayReplace(job: Job, options: { take_over?: boolean; resumes?: string | undefined }): Condition {
  const values = { ':start_at': job.start_at, ':job_id': job.job_id, ':in_progress': 'IN_PROGRESS' };
  const own = 'job_id = :job_id AND #status = :in_progress';
  const older = 'start_at < :start_at';
  if (options.resumes !== undefined) {
    return { anyOf: [own, `${older} AND job_id = :resumes`], values: { ...values, ':resumes': options.resumes } };
  }
  if (options.take_over === true) return { anyOf: [own, older], values };
  return {
    anyOf: [own, `${older} AND NOT #status = :in_progress`, `${older} AND NOT begins_with(job_id, :step_functions)`],
    values: { ...values, ':step_functions': STEP_FUNCTIONS_JOB_PREFIX },
  };
}
