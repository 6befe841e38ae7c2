/** Compares this machine's clock with DynamoDB's, because `start_at` decides which job is newer. */
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import type { Services } from '../../services.ts';
import type { Finding } from './findings.ts';

/** The tolerated difference of clocks, and so of `start_at`. A `Date` header has whole seconds. */
export const CLOCKS_APART_MS = 30_000;

export type Clock = Awaited<ReturnType<typeof readClock>>;

/** Reads DynamoDB's clock from the `Date` header, which every answer has. */
export async function readClock({ tables }: Services) {
  const command = new DescribeTableCommand({ TableName: tables.statusTable });
  let date = NaN;
  let sentAt = NaN;
  command.middlewareStack.add(
    (next) => async (args) => {
      sentAt = Date.now();
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      date = Date.parse(headers?.['date'] ?? '');
      return result;
    },
    // At this place the middleware also sees answers that are errors.
    { step: 'deserialize', priority: 'low' },
  );
  await tables.client.send(command).catch(() => undefined);
  // The header is cut to whole seconds, so DynamoDB's clock is on average half a second later.
  const ahead = date + 500 - (sentAt + Date.now()) / 2;
  const known = Number.isNaN(ahead) ? 0 : ahead;
  return {
    /** How far DynamoDB's clock is ahead of this machine's; `undefined` if it could not be read. */
    aheadMs: Number.isNaN(ahead) ? undefined : ahead,
    /** The earlier time of the two clocks; `latest` is the later. */
    earliest: () => Date.now() + Math.min(0, known),
    latest: () => Date.now() + Math.max(0, known),
  };
}

export function clockFindings({ aheadMs }: Clock, note: (text: string) => void): Finding[] {
  if (aheadMs === undefined) note("DynamoDB's clock could not be read; it was not compared");
  if (aheadMs === undefined || Math.abs(aheadMs) <= CLOCKS_APART_MS) return [];
  const by = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  return [
    {
      finding: 'ClocksApart',
      about: 'DynamoDB',
      subject: {},
      reason: `DynamoDB's clock is ${by} this machine's`,
      fix: 'set the clocks, as by NTP; start_at, from the clock of Temporal, says which job is newer',
    },
  ];
}
