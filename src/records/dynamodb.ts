import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { limitAnswers } from '../process/aws-answers.ts';
import { readHistoryRecord } from './history-table.ts';
import type { RecordTables } from './items.ts';
import { readStatusRecord } from './status-table.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** For a whole call. Below the activity's start-to-close timeout, so that the activity itself says what was slow. */
const CALL_TIMEOUT_MS = 10_000;
/** Closes idle connections before the other side does. A request on a closed one would cost one of three attempts. */
const IDLE_CONNECTION_MS = 4_000;

/** AWS's errors for a request that was signed by a clock which is minutes off. The request was not carried out. */
const REFUSED_FOR_THE_CLOCK =
  /^(InvalidSignature|SignatureDoesNotMatch|RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)/;

/**
 * Opens both tables. Region, endpoint and credentials are the AWS SDK's own settings. An attempt is one request,
 * because Temporal owns the retries. Only a request that was refused for the clock is sent once more, signed with the
 * time in the answer. The SDK then signs by that time.
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
    // Runs outside of the signing, so that the second request is signed again.
    { step: 'build', priority: 'low' },
  );
  return { client: DynamoDBDocumentClient.from(client), ...names };
}

/** No build has this as an account ID, resource or request ID. */
const NOBODY = 'role-build-worker-readiness';

/**
 * Reads an item that neither table has. This needs no permission but the worker's own to read.
 *
 * @throws the AWS SDK's error if a table is missing, may not be read or does not answer
 */
export async function reachTables(tables: RecordTables): Promise<void> {
  await Promise.all([
    readStatusRecord(tables, { account_id: NOBODY, resource: NOBODY }),
    readHistoryRecord(tables, NOBODY),
  ]);
}
