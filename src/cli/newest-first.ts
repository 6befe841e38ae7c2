/**
 * Executions by their start, newest first. Visibility stores have orders of their own (those that closed last first, as a
 * rule) and most take no other; so this looks at one stretch of time after the other, each short enough to be sorted here.
 */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { CliError } from './errors.ts';
import type { Services } from './services.ts';

/** Where a page ended: everything after it is older, or started in the same millisecond with a lesser run ID. */
export interface Position {
  startMs: number;
  runId: string;
}

/** One stretch's executions; many may have started in one millisecond, so it is a wish. */
const STRETCH = 1_000;
/** Before there was Temporal. */
const EPOCH_MS = Date.UTC(2019, 0, 1);

/**
 * @param query a visibility query
 * @param options `since`: the earliest start that the query allows, where it says so
 */
export async function* newestFirst(
  services: Services,
  query: string,
  options: { after?: Position | undefined; since?: string | undefined } = {},
): AsyncGenerator<WorkflowExecutionInfo> {
  const { after } = options;
  const oldestMs = Math.max(EPOCH_MS, Date.parse(options.since ?? '') || EPOCH_MS);
  // Clocks of server and client differ.
  let newestMs = after?.startMs ?? Date.now() + 86_400_000;
  let spanMs = newestMs - oldestMs + 1;
  while (newestMs >= oldestMs) {
    let fromMs = Math.max(oldestMs, newestMs - spanMs + 1);
    let found = await countIn(services, query, fromMs, newestMs);
    while (found > STRETCH && fromMs < newestMs) {
      spanMs = Math.max(1, Math.floor((newestMs - fromMs + 1) / 2));
      fromMs = newestMs - spanMs + 1;
      found = await countIn(services, query, fromMs, newestMs);
    }
    if (found > 0) {
      const stretch = await listIn(services, query, fromMs, newestMs);
      for (const one of stretch.sort(byStart)) if (after === undefined || isAfter(one, after)) yield one;
    }
    newestMs = fromMs - 1;
    if (found < STRETCH / 4) spanMs = Math.min(spanMs * 4, newestMs - oldestMs + 1);
  }
}

export function positionOf({ startTime, runId }: WorkflowExecutionInfo): Position {
  return { startMs: startTime.getTime(), runId };
}

export function toPageToken({ startMs, runId }: Position): string {
  return `${new Date(startMs).toISOString()}/${runId}`;
}

/** @throws CliError `usage` */
export function fromPageToken(token: string): Position {
  const [time = '', runId = ''] = token.split('/');
  const startMs = Date.parse(time);
  if (Number.isNaN(startMs) || runId === '') throw new CliError('usage', '--page-token is not one that list printed');
  return { startMs, runId };
}

function byStart(a: WorkflowExecutionInfo, b: WorkflowExecutionInfo): number {
  return b.startTime.getTime() - a.startTime.getTime() || (a.runId < b.runId ? 1 : -1);
}

function isAfter({ startTime, runId }: WorkflowExecutionInfo, after: Position): boolean {
  const ms = startTime.getTime();
  return ms < after.startMs || (ms === after.startMs && runId < after.runId);
}

/** Both ends included; servers keep nanoseconds. */
function within(query: string, fromMs: number, toMs: number): string {
  const to = new Date(toMs).toISOString().replace('Z', '999999Z');
  return `${query} AND StartTime BETWEEN '${new Date(fromMs).toISOString()}' AND '${to}'`;
}

async function countIn(services: Services, query: string, fromMs: number, toMs: number): Promise<number> {
  const { count } = await services.temporal(() => services.client.workflow.count(within(query, fromMs, toMs)));
  return count;
}

async function listIn(
  services: Services,
  query: string,
  fromMs: number,
  toMs: number,
): Promise<WorkflowExecutionInfo[]> {
  return services.temporal(async () => {
    const found: WorkflowExecutionInfo[] = [];
    const list = services.client.workflow.list({ query: within(query, fromMs, toMs), pageSize: STRETCH });
    for await (const one of list) found.push(one);
    return found;
  });
}
