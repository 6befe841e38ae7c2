/** The invariants of every write that DynamoDB accepted. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import type { Truth } from './truth.ts';
import { text, wrong, type Violation } from './violation.ts';

const ENDED = ['COMPLETE', 'FAILED', 'CANCELLED'];

/** No write changes another job's record, except by replacing an older one as a whole; and an end does not change. */
export function brokenByWrites({ calls }: Truth): Violation[] {
  return calls
    .filter(({ operation, answer }) => (operation === 'PutItem' || operation === 'UpdateItem') && answer === 200)
    .flatMap((call) => {
      const what = brokenBy(call);
      if (what === undefined) return [];
      const { operation, request, old, at } = call;
      const when = new Date(at).toISOString();
      return [
        wrong(
          `${when} ${operation} ${request.TableName} ${what}: ${JSON.stringify(old)} by ${JSON.stringify(request)}`,
        ),
      ];
    });
}

function brokenBy({ operation, request, old }: DynamoDbCall): string | undefined {
  const values = (request['ExpressionAttributeValues'] ?? {}) as Record<string, AttributeValue>;
  const [job, startAt] = [values[':job_id']?.S, values[':start_at']?.S];
  const isPut = operation === 'PutItem';
  const isStatusUpdate = !isPut && request.TableName === STATUS_TABLE_NAME;
  if (job === undefined) return 'says nothing of its job';
  if (old === undefined) return isStatusUpdate ? 'made a record out of an update' : undefined;
  const status = text(old, 'status') ?? '';
  if (text(old, 'job_id') === job) {
    if (!ENDED.includes(status)) return undefined;
    // A retried final record update may write the same end again.
    return !isPut && values[':new_status']?.S === status ? undefined : `changed what had ended ${status}`;
  }
  if (isStatusUpdate) return "changed another job's record";
  if (startAt === undefined || (text(old, 'start_at') ?? '') >= startAt) return "replaced a newer job's record";
  if (request.TableName === HISTORY_TABLE_NAME && !isSameResource(request, values, old)) {
    return "replaced another resource's history";
  }
  return undefined;
}

function isSameResource(
  request: DynamoDbCall['request'],
  values: Record<string, AttributeValue>,
  old: Record<string, AttributeValue>,
): boolean {
  const item = request['Item'] as Record<string, AttributeValue> | undefined;
  const resource = item?.['resource']?.S ?? values[':resource']?.S;
  return resource === text(old, 'resource');
}
