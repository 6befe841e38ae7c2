/**
 * The three walks: through the status table, through the history table, and through what Temporal has. Each holds one page,
 * and only sorts out what can't be right at a glance; the examiner looks more closely.
 */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { keyword, parseRoleBuildId, ROLE_BUILD_WORKFLOW_TYPE, searchAttributes, workflowIdOf } from '../../contract.ts';
import { isOpen } from '../../domain/execution-status.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { isRecordStatus } from '../../domain/record-status.ts';
import { itemsOf, keyText, pagesOf, type Item } from '../../records/items.ts';
import { describeBuild, firstRunIdOf } from '../find-build.ts';
import { inParallel } from '../in-parallel.ts';
import type { Services } from '../services.ts';
import { ATTRIBUTES, errorNameOf, faultsOf, isErrorInfoRight, textOf } from './attributes.ts';
import type { Candidate } from './examine.ts';
import { CLOCKS_APART_MS } from './kinds.ts';

/** What has been looked at. */
export interface Counts {
  status_records: number;
  history_records: number;
  executions: number;
  /** IN_PROGRESS ones of Step Functions. */
  step_functions: number;
}

/** What a walk needs. */
export interface Walk {
  services: Services;
  counts: Counts;
  /** Temporal's clock, in milliseconds. */
  now: () => number;
}

const PAGE = 250;
/** How a closed workflow's record must end, where the workflow ended by its own doing. */
const END_OF: Readonly<Record<string, string>> = { COMPLETED: 'COMPLETE', FAILED: 'FAILED', CANCELLED: 'CANCELLED' };

/** Status records that are not plainly right, a page at a time. */
export async function* walkStatusTable({ services, counts, now }: Walk): AsyncGenerator<Candidate[]> {
  const { tables } = services;
  for await (const page of waitingFor(services, pagesOf(tables, 'status', ATTRIBUTES.status, PAGE))) {
    counts.status_records += page.length;
    counts.step_functions += countInProgress(page.filter(isOriginals));
    const ours = page.filter((item) => !isOriginals(item));
    const requests = ours.map((item) => ({ request_id: item['correlation_id'] }));
    const histories = await services.dynamoDb(() => itemsOf(tables, 'history', requests, ATTRIBUTES.history));
    const suspects = await inParallel(ours, async (item) => {
      const history = histories.get(keyText('history', { request_id: item['correlation_id'] }));
      return (await isPlainlyRight(services, item, history, now())) ? [] : [candidateOf(item)];
    });
    yield suspects.flat();
  }
}

async function isPlainlyRight(
  services: Services,
  item: Item,
  history: Item | undefined,
  now: number,
): Promise<boolean> {
  if (!isSound(item, 'status', now) || history === undefined) return false;
  const isPair =
    history['job_id'] === item['job_id'] &&
    history['status'] === item['status'] &&
    errorNameOf(history) === errorNameOf(item) &&
    history['account_id'] === item['account_id'] &&
    history['resource'] === item['resource'];
  if (!isPair) return false;
  if (item['status'] !== 'IN_PROGRESS') return true;
  const latest = await describeBuild(services, workflowIdOf(String(item['account_id']), String(item['resource'])));
  return latest !== undefined && isOpen(latest.status.name) && firstRunIdOf(latest) === item['job_id'];
}

/** History records that are not plainly right, apart from those whose job the status table has: they have been seen there. */
export async function* walkHistoryTable({ services, counts, now }: Walk): AsyncGenerator<Candidate[]> {
  const { tables } = services;
  for await (const page of waitingFor(services, pagesOf(tables, 'history', ATTRIBUTES.history, PAGE))) {
    counts.history_records += page.length;
    counts.step_functions += countInProgress(page.filter(isOriginals));
    const ours = page.filter((item) => !isOriginals(item));
    const statuses = await services.dynamoDb(() => itemsOf(tables, 'status', ours, ATTRIBUTES.status));
    yield ours
      .filter((item) => {
        const status = statuses.get(keyText('status', item));
        if (!isSound(item, 'history', now()) || status === undefined) return true;
        if (status['job_id'] === item['job_id']) return false;
        const isNewer = (textOf(item, 'start_at') ?? '') > (textOf(status, 'start_at') ?? '');
        return item['status'] === 'IN_PROGRESS' || (isNewer && !isOriginals(status));
      })
      .map((item) => candidateOf(item, 'history'));
  }
}

/** Workflows whose records are not there or tell another end. */
export async function* walkExecutions({ services, counts }: Walk): AsyncGenerator<Candidate[]> {
  const { tables } = services;
  for await (const page of executionPages(services)) {
    counts.executions += page.length;
    const jobs = page.filter(({ status }) => status.name !== 'CONTINUED_AS_NEW').flatMap(jobOf);
    const [statuses, histories] = await services.dynamoDb(() =>
      Promise.all([
        itemsOf(
          tables,
          'status',
          jobs.map(({ job }) => ({ ...job })),
          ['account_id', 'resource', 'job_id', 'status'],
        ),
        itemsOf(
          tables,
          'history',
          jobs.map(({ job }) => ({ request_id: job.correlation_id })),
          ['request_id', 'job_id', 'status'],
        ),
      ]),
    );
    const suspects = jobs.filter(({ job, mayGoOn, end }) => {
      const records = [
        statuses.get(keyText('status', { ...job })),
        histories.get(keyText('history', { request_id: job.correlation_id })),
      ];
      const own = records.filter((record) => record?.['job_id'] === job.job_id);
      if (mayGoOn) return own.length < 2 || own.some((record) => record?.['status'] !== 'IN_PROGRESS');
      return own.some((record) => record?.['status'] !== end);
    });
    const candidates = await inParallel(suspects, async ({ job, workflowId, runId }): Promise<Candidate[]> => {
      // Whose it is by its starter's word may be another's job, or of hundreds the same.
      const run = await describeBuild(services, workflowId, runId);
      const job_id = run === undefined ? undefined : firstRunIdOf(run);
      return job_id === undefined ? [] : [{ ...job, job_id }];
    });
    yield candidates.flat();
  }
}

/** What visibility says of a job; nothing where its workflow has not yet made its first step. */
function jobOf({ workflowId, runId, status, typedSearchAttributes: attributes }: WorkflowExecutionInfo) {
  const job_id = attributes.get(searchAttributes.JobId);
  if (job_id === undefined) return [];
  const key = parseRoleBuildId(workflowId);
  const job = {
    job_id,
    account_id: key?.accountId ?? whole(attributes.get(searchAttributes.AccountId)),
    resource: key?.resource ?? whole(attributes.get(searchAttributes.Resource)),
    correlation_id: whole(attributes.get(searchAttributes.CorrelationId)),
  };
  return [{ job, workflowId, runId, mayGoOn: isOpen(status.name), end: END_OF[status.name] }];
}

/** A value that may have been cut to fit says nothing; the examiner then reads it in the workflow's input. */
function whole(value: string | undefined): string | undefined {
  return value !== undefined && value !== keyword(`${value}…`) ? value : undefined;
}

/** All executions of builds, those that run first. */
export async function* executionPages(services: Services): AsyncGenerator<WorkflowExecutionInfo[]> {
  const query = `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`;
  const list = services.client.workflow.list({ query, pageSize: PAGE })[Symbol.asyncIterator]();
  let page: WorkflowExecutionInfo[] = [];
  for (;;) {
    const next = await services.temporal(() => list.next());
    if (next.done !== true) page.push(next.value);
    if (page.length === PAGE || next.done === true) {
      yield page;
      page = [];
    }
    if (next.done === true) return;
  }
}

async function* waitingFor<T>(services: Services, pages: AsyncGenerator<T>): AsyncGenerator<T> {
  for (;;) {
    const next = await services.dynamoDb(() => pages.next());
    if (next.done === true) return;
    yield next.value;
  }
}

function candidateOf(item: Item, table: 'status' | 'history' = 'status'): Candidate {
  const job_id = textOf(item, 'job_id');
  const correlation_id = textOf(item, table === 'status' ? 'correlation_id' : 'request_id');
  return {
    job_id,
    ...(job_id === undefined ? { table } : {}),
    account_id: textOf(item, 'account_id'),
    resource: textOf(item, 'resource'),
    correlation_id,
  };
}

/** Whether there is nothing wrong with a record by itself. */
function isSound(item: Item, table: 'status' | 'history', now: number): boolean {
  if (faultsOf(table, item).size > 0 || !isRecordStatus(item['status']) || !isErrorInfoRight(item)) return false;
  return Date.parse(textOf(item, 'start_at') ?? '') <= now + CLOCKS_APART_MS;
}

/** A record of an execution of Step Functions, whose state is none of doctor's business. */
function isOriginals(item: Item): boolean {
  return isStepFunctionsJob(item['job_id']);
}

function countInProgress(items: readonly Item[]): number {
  return items.filter((item) => item['status'] === 'IN_PROGRESS').length;
}
