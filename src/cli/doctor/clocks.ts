/** This machine's clock beside DynamoDB's and Temporal's: `start_at` and every condition on it rest on them. */
import { randomUUID } from 'node:crypto';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import type { Services } from '../services.ts';
import { CLOCKS_APART_MS, type Finding } from './kinds.ts';

const POLL_MS = 5_000;
const LOOK_EVERY_MS = 50;

export interface Clock {
  name: string;
  /** How far it is ahead of this machine's, give or take; `undefined` where it could not be read. */
  aheadMs: number | undefined;
}

export async function readClocks(services: Services): Promise<{ dynamoDb: Clock; temporal: Clock }> {
  return {
    dynamoDb: { name: 'DynamoDB', aheadMs: await dynamoDbAhead(services) },
    temporal: { name: 'Temporal', aheadMs: await temporalAhead(services) },
  };
}

export function clockFindings(clocks: readonly Clock[], note: (text: string) => void): Finding[] {
  return clocks.flatMap(({ name, aheadMs }): Finding[] => {
    if (aheadMs === undefined) {
      note(`${name}'s clock could not be read; it was not compared`);
      return [];
    }
    if (Math.abs(aheadMs) <= CLOCKS_APART_MS) return [];
    const by = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
    return [
      {
        finding: 'ClocksApart',
        about: name,
        subject: {},
        reason: `${name}'s clock is ${by} this machine's`,
        fix: 'set the clocks, as by NTP; what is newer is told by start_at, which is taken from Temporal',
      },
    ];
  });
}

/** By the `Date` header, which every answer has. */
async function dynamoDbAhead({ tables }: Services): Promise<number | undefined> {
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
    // Inside of what reads the answer, so that an answer which is an error is seen too.
    { step: 'deserialize', priority: 'low' },
  );
  await tables.client.send(command).catch(() => undefined);
  // Whole seconds: on average it is half a second later.
  const ahead = date + 500 - (sentAt + Date.now()) / 2;
  return Number.isNaN(ahead) ? undefined : ahead;
}

/**
 * Temporal's API says nowhere what time it is, but it says when a poller was last seen: so this polls a task queue of its
 * own, on which there is never a task.
 */
async function temporalAhead({ client, connection, namespace }: Services): Promise<number | undefined> {
  const identity = `doctor-${randomUUID()}`;
  const taskQueue = { name: 'role-build-doctor-clock' };
  const stop = new AbortController();
  const sentAt = Date.now();
  const poll = connection
    .withAbortSignal(stop.signal, () =>
      connection.withDeadline(sentAt + POLL_MS, () =>
        client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue, identity }),
      ),
    )
    .then(
      () => undefined,
      () => stop.abort(),
    );
  try {
    while (!stop.signal.aborted) {
      const { pollers } = await connection.withDeadline(sentAt + POLL_MS, () =>
        client.workflowService.describeTaskQueue({ namespace, taskQueue }),
      );
      const seen = pollers?.find((poller) => poller.identity === identity)?.lastAccessTime;
      if (seen !== undefined && seen !== null) {
        const at = Number(seen.seconds ?? 0) * 1000 + (seen.nanos ?? 0) / 1e6;
        return at - (sentAt + Date.now()) / 2;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return undefined;
  } catch {
    // Not everyone who may read may poll.
    return undefined;
  } finally {
    stop.abort();
    await poll;
  }
}
