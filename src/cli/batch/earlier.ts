/** What is known of a request before it is started: whether an earlier run of the batch, or anyone, has started it. */
import { keyword, ROLE_BUILD_WORKFLOW_TYPE, searchAttributes } from '../../contract.ts';
import type { ErrorInfo } from '../../domain/failures.ts';
import type { HistoryRecord } from '../../records/history-table.ts';
import { itemsOf, keyText, type Item } from '../../records/items.ts';
import { isHeldByStepFunctions } from '../../records/write.ts';
import type { BuildInProgressError } from '../../start-role-build.ts';
import { quotedForQuery } from '../builds-query.ts';
import type { Services } from '../services.ts';
import type { ReportStatus } from './report.ts';
import type { Request } from './requests.ts';

/** What is looked at of a record. */
type Found = Pick<HistoryRecord, 'account_id' | 'resource' | 'job_id' | 'start_at' | 'status' | 'error_info'>;

/** The records of a request, where there are some. */
export interface Records {
  /** Of the request: it holds for years, where Temporal forgets within days. */
  history: Found | undefined;
  /** Of the resource, whoever asked for it last. */
  status: Found | undefined;
  /** The job that runs for the request and has not written a record yet, where it was looked for. */
  running?: string | undefined;
}

/** A request that is not to be started. */
export interface Earlier {
  status: ReportStatus;
  job_id?: string;
  error?: string;
}

const READ = ['account_id', 'resource', 'job_id', 'start_at', 'status', 'error_info'];

/** The records of each request, in the order of the requests. */
export function recordsOf(services: Services, requests: readonly Request[]): Promise<Records[]> {
  const keys = requests.map(({ input }) => ({
    request_id: input.correlation_id,
    account_id: input.build_body.account_id,
    resource: input.ddb_composite_sort_key,
  }));
  return services.dynamoDb(async () => {
    const { tables } = services;
    const [histories, statuses] = await Promise.all([
      itemsOf(tables, 'history', keys, ['request_id', ...READ], { consistent: true }),
      itemsOf(tables, 'status', keys, READ, { consistent: true }),
    ]);
    return keys.map((key) => ({
      history: found(histories, keyText('history', key)),
      status: found(statuses, keyText('status', key)),
    }));
  });
}

/** How each request ended or stands, by its ID, as the history has it. */
export function historiesOf(services: Services, requestIds: readonly string[]): Promise<Map<string, Found>> {
  return services.dynamoDb(async () => {
    const keys = requestIds.map((request_id) => ({ request_id }));
    const items = await itemsOf(services.tables, 'history', keys, ['request_id', ...READ], { consistent: true });
    return new Map([...items.values()].map((item) => [String(item['request_id']), item as unknown as Found]));
  });
}

/**
 * The jobs that run for requests, by request ID, as Temporal's visibility has it, which may be a little late: what it does not
 * tell is found out by the start.
 */
export async function runningJobs(services: Services, requests: readonly Request[]): Promise<Map<string, string>> {
  const workflowIds = new Map(requests.map(({ input, workflowId }) => [workflowId, input.correlation_id]));
  const ids = requests.map(({ input }) => quotedForQuery(keyword(input.correlation_id)));
  const query = [
    `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`,
    "ExecutionStatus = 'Running'",
    `${searchAttributes.CorrelationId.name} IN (${ids.join(', ')})`,
  ].join(' AND ');
  const jobs = new Map<string, string>();
  await services.temporal(async () => {
    for await (const { workflowId, runId, typedSearchAttributes: known } of services.client.workflow.list({ query })) {
      const requestId = workflowIds.get(workflowId);
      if (requestId === undefined || known.get(searchAttributes.CorrelationId) !== keyword(requestId)) continue;
      jobs.set(requestId, known.get(searchAttributes.JobId) ?? runId);
    }
  });
  return jobs;
}

function found(items: ReadonlyMap<string, Item>, key: string): Found | undefined {
  return items.get(key) as Found | undefined;
}

/**
 * Whether a request has been started, as its history record tells or Temporal, or must not be, since Step Functions holds a
 * record of it. Should neither tell, its start has an ID (`startIdOf`), by which Temporal knows it again.
 *
 * @param runAgainAfter the job whose failure is why the request runs again
 */
export function startedEarlier(
  { input }: Request,
  { history, status: holder, running }: Records,
  runAgainAfter?: string,
): Earlier | undefined {
  if (history !== undefined) {
    const { account_id, resource } = history;
    if (account_id !== input.build_body.account_id || resource !== input.ddb_composite_sort_key) {
      return { status: 'REFUSED', error: `request ${input.correlation_id} is that of ${account_id} ${resource}` };
    }
    if (!isHeldByStepFunctions(history)) {
      const { status, job_id, error_info } = history;
      // Its last job failed, and it is asked to run again after that one and no other.
      const runsAgain = job_id === runAgainAfter && status !== 'IN_PROGRESS' && status !== 'COMPLETE';
      if (!runsAgain) return { status: status as ReportStatus, job_id, ...errorOf(error_info) };
    }
  }
  if (running !== undefined) return { status: 'IN_PROGRESS', job_id: running };
  if (input.take_over === true) return undefined;
  const held = [holder, history].find((record) => isHeldByStepFunctions(record));
  if (held === undefined) return undefined;
  const error = `${held.job_id}, an execution of Step Functions, is IN_PROGRESS there; --take-over replaces its record`;
  return { status: 'REFUSED', job_id: held.job_id, error };
}

export function errorOf(info: ErrorInfo | undefined): { error?: string } {
  return info === undefined ? {} : { error: `${info.Error}: ${info.Cause}` };
}

/** What it means that a build holds the resource: the request's own, or another's. */
export async function heldBy(services: Services, request: Request, held: BuildInProgressError): Promise<Earlier> {
  const { workflow } = services.client;
  const { typedSearchAttributes: attributes } = await services.temporal(() =>
    workflow.getHandle(held.workflowId).describe(),
  );
  const isOwn = attributes.get(searchAttributes.CorrelationId) === keyword(request.input.correlation_id);
  return isOwn ? { status: 'IN_PROGRESS', job_id: held.jobId } : { status: 'REFUSED', error: held.message };
}
