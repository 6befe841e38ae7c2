import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { RecordTables } from './items.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** A whole call. Less than an activity's start-to-close timeout, so that the activity says itself what was slow. */
const CALL_TIMEOUT_MS = 10_000;
/** An idle connection is closed before others close theirs, so that none is reused too late: that would cost an attempt of three. */
const IDLE_CONNECTION_MS = 4_000;

/**
 * Opens the way to both tables. Region, endpoint and credentials are the AWS SDK's own settings.
 * An attempt is one request: Temporal owns the retries.
 */
export function openRecordTables(names: { statusTable: string; historyTable: string }): RecordTables {
  const agent = { timeout: IDLE_CONNECTION_MS };
  const client = new DynamoDBClient({
    maxAttempts: 1,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: CALL_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  return { client: DynamoDBDocumentClient.from(client), ...names };
}
