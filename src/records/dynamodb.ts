import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { limitAnswers } from '../process/aws-answers.ts';
import { readHistoryRecord } from './history-table.ts';
import type { RecordTables } from './items.ts';
import { readStatusRecord } from './status-table.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** A whole call. Less than an activity's start-to-close timeout, so that the activity says itself what was slow. */
const CALL_TIMEOUT_MS = 10_000;
/** An idle connection is closed before others close theirs, so that none is reused too late: that would cost an attempt of three. */
const IDLE_CONNECTION_MS = 4_000;

/** AWS's errors for a request that was signed by a clock minutes away from AWS's. The request was not carried out. */
const REFUSED_FOR_THE_CLOCK =
  /^(InvalidSignature|SignatureDoesNotMatch|RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/;

/**
 * Opens the way to both tables. Region, endpoint and credentials are the AWS SDK's own settings.
 * An attempt is one request: Temporal owns the retries. Only one that was refused for the clock is sent once more, signed by the
 * time in the answer; from then on the SDK signs by that.
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
  limitAnswers(client, CALL_TIMEOUT_MS);
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (err) {
        const { name, $metadata } = err as Error & { $metadata?: { clockSkewCorrected?: true } };
        if ($metadata?.clockSkewCorrected === true && REFUSED_FOR_THE_CLOCK.test(name)) return next(args);
        throw err;
      }
    },
    // Outside of what signs.
    { step: 'build', priority: 'low' },
  );
  return { client: DynamoDBDocumentClient.from(client), ...names };
}

/** No build has it: no account ID, and no request's. */
const NOBODY = 'role-build-worker-readiness';

/**
 * Reads an item that is in neither table, which takes no more than the worker's own right to read.
 *
 * @throws the AWS SDK's error if a table is missing, may not be read or does not answer
 */
export async function reachTables(tables: RecordTables): Promise<void> {
  await Promise.all([
    readStatusRecord(tables, { account_id: NOBODY, resource: NOBODY }),
    readHistoryRecord(tables, NOBODY),
  ]);
}
