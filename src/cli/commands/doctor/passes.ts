/**
 * Three passes: over the status table, over the history table, and over Temporal's executions. Each holds one page at a
 * time and only picks out what may be wrong; the examiner looks more closely.
 */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { keyword, parseRoleBuildId, searchAttributes, workflowIdOf } from '../../../contract.ts';
import { isOpen } from '../../../domain/execution-status.ts';
import { isStepFunctionsJob } from '../../../domain/identity.ts';
import { isRecordStatus } from '../../../domain/record-status.ts';
import { pagesOf, type Item, type Table } from '../../../records/items.ts';
import { describeBuild, firstRunIdOf } from '../../build/find.ts';
import { END_OF } from '../../build/listed.ts';
import { inParallel } from '../../in-parallel.ts';
import type { Services } from '../../services.ts';
import { CLOCKS_APART_MS, type Clock } from './clock.ts';
import type { Candidate } from './examine.ts';
import { ATTRIBUTES, errorNameOf, faultsOf, isErrorInfoRight, recordsOf, textOf } from './facts.ts';
import { executionPages } from './namespace.ts';

export interface Counts {
  status_records: number;
  history_records: number;
  executions: number;
  /** Records of Step Functions that are IN_PROGRESS. */
  step_functions: number;
}

interface Context {
  services: Services;
  counts: Counts;
  clock: Clock;
}

export const PASSES: readonly {
  name: string;
  needsJobs?: true;
  candidates: (context: Context) => AsyncGenerator<Candidate[]>;
}[] = [
  { name: 'the status table', candidates: inStatusTable },
  { name: 'the history table', candidates: inHistoryTable },
  { name: "Temporal's list of builds", candidates: inTemporal, needsJobs: true },
];

const PAGE = 250;

/** Yields status records that may be wrong. */
async function* inStatusTable(context: Context): AsyncGenerator<Candidate[]> {
  for await (const page of tablePages(context, 'status')) {
    const seen = await inParallel(page, async ({ candidate, item, other }) => {
      const isRight = isSound(item, 'status', context.clock) && (await isPair(context.services, item, other));
      return isRight ? [] : [candidate];
    });
    yield seen.flat();
  }
}

/** Whether both records agree, and a build in progress runs. */
async function isPair(services: Services, status: Item, history: Item | undefined): Promise<boolean> {
  const isSame = ['job_id', 'status', 'account_id', 'resource'].every((name) => history?.[name] === status[name]);
  if (!isSame || errorNameOf(history) !== errorNameOf(status)) return false;
  if (status['status'] !== 'IN_PROGRESS') return true;
  const latest = await describeBuild(services, workflowIdOf(String(status['account_id']), String(status['resource'])));
  return latest !== undefined && isOpen(latest.status.name) && firstRunIdOf(latest) === status['job_id'];
}

/** Yields history records that may be wrong. Jobs that the status table also has were seen in its pass. */
async function* inHistoryTable(context: Context): AsyncGenerator<Candidate[]> {
  for await (const page of tablePages(context, 'history')) {
    const seen = page.filter(({ item, other: status }) => {
      if (!isSound(item, 'history', context.clock) || status === undefined) return true;
      if (status['job_id'] === item['job_id']) return status['correlation_id'] !== item['request_id'];
      const isNewer = (textOf(item, 'start_at') ?? '') > (textOf(status, 'start_at') ?? '');
      return item['status'] === 'IN_PROGRESS' || (isNewer && !isStepFunctionsJob(status['job_id']));
    });
    yield seen.map(({ candidate }) => candidate);
  }
}

/** Yields each record with the other table's record of the same build, without those of Step Functions. */
async function* tablePages({ services, counts }: Context, table: Table) {
  const pages = pagesOf(services.tables, table, ATTRIBUTES[table], PAGE);
  for (;;) {
    const { value: page, done } = await services.dynamoDb(() => pages.next());
    if (done === true) return;
    counts[`${table}_records`] += page.length;
    // Doctor does not check executions of Step Functions.
    const ours = page.filter((item) => !isStepFunctionsJob(item['job_id']));
    const theirs = page.filter((item) => isStepFunctionsJob(item['job_id']) && item['status'] === 'IN_PROGRESS');
    counts.step_functions += theirs.length;
    const candidates = ours.map((item) => candidateOf(item, table));
    const others = await recordsOf(services, table === 'status' ? 'history' : 'status', candidates);
    yield ours.map((item, i) => ({ item, candidate: candidates[i] as Candidate, other: others[i] }));
  }
}

function candidateOf(item: Item, table: Table): Candidate {
  return {
    job_id: textOf(item, 'job_id'),
    from: table,
    account_id: textOf(item, 'account_id'),
    resource: textOf(item, 'resource'),
    correlation_id: textOf(item, table === 'status' ? 'correlation_id' : 'request_id'),
  };
}

/** Whether a record is valid, looked at alone. */
function isSound(item: Item, table: Table, clock: Clock): boolean {
  if (faultsOf(table, item).size > 0 || !isRecordStatus(item['status']) || !isErrorInfoRight(item)) return false;
  return Date.parse(textOf(item, 'start_at') ?? '') <= clock.latest() + CLOCKS_APART_MS;
}

/** Yields workflows whose records are missing or tell another end. */
async function* inTemporal({ services, counts }: Context): AsyncGenerator<Candidate[]> {
  for await (const page of executionPages(services)) {
    counts.executions += page.length;
    const jobs = page.filter(({ status }) => status.name !== 'CONTINUED_AS_NEW').flatMap(jobOf);
    const [statuses, histories] = await Promise.all([
      recordsOf(services, 'status', jobs),
      recordsOf(services, 'history', jobs),
    ]);
    const suspects = jobs.filter(({ job_id, execution: { status } }, i) => {
      const own = [statuses[i], histories[i]].filter((record) => record?.['job_id'] === job_id);
      if (!isOpen(status.name)) return own.some((record) => record?.['status'] !== END_OF[status.name]);
      return own.length < 2 || own.some((record) => record?.['status'] !== 'IN_PROGRESS');
    });
    const candidates = await inParallel(suspects, async ({ execution, ...job }): Promise<Candidate[]> => {
      // The search attribute JobId is set by the starter, so it may name another job, or one job hundreds of times.
      const run = await describeBuild(services, execution.workflowId, execution.runId);
      const job_id = run === undefined ? undefined : firstRunIdOf(run);
      return job_id === undefined ? [] : [{ ...job, job_id }];
    });
    yield candidates.flat();
  }
}

/** Returns what visibility says of a job; nothing if the workflow has not made its first step yet. */
function jobOf(execution: WorkflowExecutionInfo): (Candidate & { execution: WorkflowExecutionInfo })[] {
  const { workflowId, typedSearchAttributes: attributes } = execution;
  const job_id = attributes.get(searchAttributes.JobId);
  if (job_id === undefined) return [];
  const key = parseRoleBuildId(workflowId) ?? {
    account_id: uncut(attributes.get(searchAttributes.AccountId)),
    resource: uncut(attributes.get(searchAttributes.Resource)),
  };
  return [{ execution, job_id, ...key, correlation_id: uncut(attributes.get(searchAttributes.CorrelationId)) }];
}

/** Drops a value that may have been cut to fit. The examiner then reads it from the workflow's input. */
function uncut(value: string | undefined): string | undefined {
  return value !== undefined && value !== keyword(`${value}…`) ? value : undefined;
}
