/** Collects the state of a stack after all builds have ended: from Temporal, both tables and the recorded requests. */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { Client, Connection } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import type { Build, RecordedRequest } from '../../dev/simulated-build-api/server.ts';
import { ROLE_BUILD_WORKFLOW_TYPE, workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import type { RawItem, TestStack } from '../support/stack.ts';
import { readJobs, type HistoryEvent, type Job } from './jobs.ts';

const LOOK_EVERY_MS = 250;

export interface Truth {
  jobs: Job[];
  statusRecords: RawItem[];
  historyRecords: RawItem[];
  requests: RecordedRequest[];
  builds: Build[];
  /** Every call of DynamoDB by workers and command line. */
  calls: DynamoDbCall[];
  /** When a process was killed or restarted: epoch milliseconds. */
  deaths: number[];
  /** The faults of processes and ports. */
  processFaults: string[];
}

/** Waits until no build runs. @returns whether all ended in time */
export async function untilAllClosed(stack: TestStack, timeLimitMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + timeLimitMs;
  const query = `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
  return withClient(stack, async (client) => {
    while ((await client.workflow.count(query)).count > 0) {
      if (performance.now() > giveUpAt) return false;
      await delay(LOOK_EVERY_MS);
    }
    return true;
  });
}

export async function readTruth(stack: TestStack): Promise<Omit<Truth, 'deaths' | 'processFaults'>> {
  const db = new DynamoDBClient({
    region: 'us-east-1',
    endpoint: stack.dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const scan = async (TableName: string) =>
    (await db.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items ?? [];
  try {
    return {
      jobs: await withClient(stack, readJobs),
      statusRecords: await scan(STATUS_TABLE_NAME),
      historyRecords: await scan(HISTORY_TABLE_NAME),
      requests: stack.buildApi.requests(),
      builds: stack.buildApi.builds(),
      calls: [...stack.proxy.calls],
    };
  } finally {
    db.destroy();
  }
}

export async function withClient<T>(
  { temporal }: Pick<TestStack, 'temporal'>,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    return await use(new Client({ connection, namespace: temporal.namespace }));
  } finally {
    await connection.close();
  }
}

/** Whether a build has started its first timer, or the one with that number. */
export function hasTimer(stack: TestStack, input: RoleBuildInput, which = 1): Promise<boolean> {
  return hasEvent(stack, input, ({ timerStartedEventAttributes }) => timerStartedEventAttributes != null, which);
}

export function hasScheduled(stack: TestStack, input: RoleBuildInput, activity: string): Promise<boolean> {
  return hasEvent(stack, input, (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity);
}

function hasEvent(
  stack: TestStack,
  { build_body, ddb_composite_sort_key }: RoleBuildInput,
  isWanted: (event: HistoryEvent) => boolean,
  times = 1,
): Promise<boolean> {
  return withClient(stack, async (client) => {
    const handle = client.workflow.getHandle(workflowIdOf(build_body.account_id, ddb_composite_sort_key));
    const { events } = await handle.fetchHistory().catch(() => ({ events: [] }));
    return (events ?? []).filter(isWanted).length >= times;
  });
}
