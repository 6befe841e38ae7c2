/** Runs a schedule on its own stack, and returns the broken promises once all builds have ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { startRoleBuild, BuildInProgressError } from '../../src/index.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { ACCOUNT, inputFor, parseJson } from '../support/stack.ts';
import { startFaultStack, type FaultStack } from './fault-stack.ts';
import { KeptWorker } from './kept-worker.ts';
import type { Report } from './report.ts';
import { TIMEOUT_SECONDS, type Event, type PlannedStart, type Schedule } from './schedule.ts';
import { withClient } from './truth.ts';
import { lost, wrong, type Violation } from './violation.ts';

/** How long builds may take after the last fault: two rounds of a final update, and time-outs of dead workers. */
const REST_MS = 150_000;
const CALL_MS = 5_000;

export async function runSchedule(schedule: Schedule, report: Report): Promise<Violation[]> {
  const { continuesAsNew } = schedule;
  const stack = await startFaultStack({
    dbFile: true,
    settings: { BUILD_API_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS) },
    ...(continuesAsNew ? { temporal: { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 40 } } } : {}),
  });
  const dynamoDb = [...schedule.dynamoDb];
  stack.proxy.decide = () => dynamoDb.shift() ?? undefined;
  const worker = new KeptWorker(stack);
  try {
    await worker.begin();
    const started: string[] = [];
    await Promise.all([
      ...schedule.starts.map((planned, index) => start(stack, planned, index, started)),
      ...inOrder(schedule.events).map((events) => runEvents(stack, worker, events)),
    ]);
    dynamoDb.length = 0;
    await worker.settle();
    const violations = await stack.conclude(report, REST_MS);
    const more = [...(await unknownJobs(stack, started)), ...(await doctorsFindings(stack)), ...worker.faults];
    for (const { kind } of more) report.violations[kind] += 1;
    report.schedules += 1;
    return [...violations, ...more];
  } finally {
    await worker.end();
    await stack.stop();
  }
}

/** Groups events by the part that they affect; events of one part run one after the other. */
function inOrder(events: readonly Event[]): Event[][] {
  const part = ({ kind }: Event) => kind.split(' ')[1];
  return Object.values(Object.groupBy(events, (event) => part(event) ?? '')).map((some = []) =>
    some.toSorted((a, b) => a.atMs - b.atMs),
  );
}

async function runEvents(stack: FaultStack, worker: KeptWorker, events: readonly Event[]): Promise<void> {
  const begunAt = performance.now();
  for (const { kind, atMs, awayMs } of events) {
    await delay(Math.max(0, atMs - (performance.now() - begunAt)));
    switch (kind) {
      case 'kill worker':
        await worker.kill(awayMs);
        break;
      case 'stop worker':
        await worker.stop(awayMs);
        break;
      case 'kill Temporal':
        await stack.restartTemporal(awayMs);
        break;
      case 'refuse DynamoDB':
        await stack.refuseDynamoDb(awayMs);
        break;
      case 'refuse build API':
        await stack.refuseBuildApi(awayMs);
        break;
    }
  }
}

async function start(stack: FaultStack, planned: PlannedStart, index: number, started: string[]): Promise<void> {
  await delay(planned.atMs);
  const input = inputOf(stack, planned, index);
  const jobId = await (planned.by === 'client' ? startByClient(stack, input) : startByCommand(stack, input));
  if (jobId !== undefined) started.push(jobId);
  if (planned.cancelAfterMs === undefined) return;
  await delay(planned.cancelAfterMs);
  await cancel(stack, input);
}

function inputOf(stack: FaultStack, planned: PlannedStart, index: number): RoleBuildInput {
  const { resource, ownRequest, simulate, pollSeconds, deadlineSeconds } = planned;
  return inputFor(stack, `role-${resource}`, simulate, {
    correlation_id: ownRequest ? `request-${index}` : 'request-shared',
    poll_interval_seconds: pollSeconds,
    ...(deadlineSeconds === undefined ? {} : { deadline_seconds: deadlineSeconds }),
  });
}

/** @returns the job that runs, or `undefined` if Temporal was away, in which case it may or may not run */
async function startByClient(stack: FaultStack, input: RoleBuildInput): Promise<string | undefined> {
  try {
    return await withClient(stack, (client) =>
      client.connection.withDeadline(Date.now() + CALL_MS, async () => (await startRoleBuild(client, input)).job_id),
    );
  } catch (err) {
    if (err instanceof BuildInProgressError) return err.jobId;
    return undefined;
  }
}

async function startByCommand(stack: FaultStack, input: RoleBuildInput): Promise<string | undefined> {
  const result = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
  const { code, stderr } = result;
  if (code === 0) return parseJson(result)['job_id'] as string;
  if (code === 3 || code === 5) return undefined;
  throw new Error(`start ended with exit code ${code}: ${stderr}`);
}

async function cancel(stack: FaultStack, input: RoleBuildInput): Promise<void> {
  const workflowId = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
  await withClient(stack, (client) =>
    client.connection.withDeadline(Date.now() + CALL_MS, () => client.workflow.getHandle(workflowId).cancel()),
  ).catch(() => {
    // Nothing runs, or Temporal is away. The history tells whether the build was cancelled.
  });
}

/** Every build whose start was confirmed exists, whatever was killed since. */
async function unknownJobs(stack: FaultStack, started: readonly string[]): Promise<Violation[]> {
  return withClient(stack, async (client) => {
    const known = new Set<string>();
    for await (const { runId } of client.workflow.list()) known.add(runId);
    return started.filter((id) => !known.has(id)).map((id) => lost(`job ${id} was started, and is not there`));
  });
}

/** Returns what `doctor` finds in the same tables and on the same server. */
async function doctorsFindings(stack: FaultStack): Promise<Violation[]> {
  const { code, stdout, stderr } = await stack.cli(['doctor', '--json']);
  return code === 0 ? [] : [wrong(`doctor ended with ${code}: ${stdout}${stderr}`)];
}
