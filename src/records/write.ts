import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

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
