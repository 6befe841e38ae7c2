import { keyword, searchAttributes, workflowIdOf } from '../contract.ts';
import { oddities } from '../records/attributes.ts';
import { readHistoryRecord, type ReadHistoryRecord } from '../records/history-table.ts';
import { CliError, notFound } from './errors.ts';
import type { Services } from './services.ts';

/** The ways to name one build on the command line. */
export interface TargetOptions {
  correlationId?: string;
  jobId?: string;
  workflowId?: string;
}

/** Of a record that does not say which: no job has it as its ID. */
const NO_JOB = '';

/** One build, as far as it has been found. */
export interface Target {
  /** As the user named it, for messages. */
  name: string;
  workflowId: string;
  /** Where one job was asked for: that one and no other of the same workflow ID. */
  jobId?: string;
  /** A run of that job, the latest known. */
  runId?: string;
  /** The request's history record, where that is how it was found. */
  history?: ReadHistoryRecord;
}

/**
 * Finds the build that a command is about.
 *
 * @throws CliError `usage` unless it is named in exactly one way; `notFound`
 */
export async function findTarget(
  services: Services,
  account: string | undefined,
  resource: string | undefined,
  options: TargetOptions,
): Promise<Target> {
  checkTarget(account, resource, options);
  if (options.workflowId !== undefined) return { name: options.workflowId, workflowId: options.workflowId };
  if (options.jobId !== undefined) {
    const name = `job ${options.jobId}`;
    const found = await findInVisibility(services, searchAttributes.JobId.name, options.jobId);
    if (found === undefined) throw notFound(name);
    return { name, jobId: options.jobId, ...found };
  }
  if (options.correlationId !== undefined) return findRequest(services, options.correlationId);
  return { name: `${account} ${resource}`, workflowId: workflowIdOf(account ?? '', resource ?? '') };
}

/** @throws CliError `usage` unless a build is named in exactly one way */
export function checkTarget(account: string | undefined, resource: string | undefined, options: TargetOptions): void {
  const ways = [account, options.correlationId, options.jobId, options.workflowId].filter((way) => way !== undefined);
  if (ways.length !== 1 || (account !== undefined && resource === undefined)) {
    throw new CliError('usage', 'name one build: ACCOUNT RESOURCE, or --correlation-id, --job-id or --workflow-id');
  }
  if (account !== undefined && !/^\d{12}$/.test(account)) {
    throw new CliError('usage', `ACCOUNT must be 12 digits, not ${JSON.stringify(account)}`);
  }
}

async function findRequest(services: Services, correlationId: string): Promise<Target> {
  const name = `request ${correlationId}`;
  const running = await findInVisibility(services, searchAttributes.CorrelationId.name, correlationId, 'Running');
  if (running !== undefined) return { name, ...running };
  const history = await services.dynamoDb(() => readHistoryRecord(services.tables, correlationId));
  if (history?.account_id !== undefined && history.resource !== undefined) {
    const workflowId = workflowIdOf(history.account_id, history.resource);
    return { name, workflowId, jobId: history.job_id ?? NO_JOB, history };
  }
  const closed = await findInVisibility(services, searchAttributes.CorrelationId.name, correlationId);
  if (closed === undefined && history !== undefined) {
    throw new CliError('notFound', `the history record of ${name} does not say whose it is: ${oddities(history)}`, {
      fields: { ...history },
      hint: 'role-build doctor shows what can be mended',
    });
  }
  if (closed === undefined) throw notFound(name);
  return { name, ...closed };
}

/** The latest execution with such a search attribute. */
async function findInVisibility(
  { client, temporal: call }: Services,
  attribute: string,
  value: string,
  status?: 'Running',
): Promise<{ workflowId: string; runId: string } | undefined> {
  const quoted = `'${keyword(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const query = `${attribute} = ${quoted}${status === undefined ? '' : ` AND ExecutionStatus = '${status}'`}`;
  return call(async () => {
    for await (const { workflowId, runId, status: found } of client.workflow.list({ query, pageSize: 10 })) {
      if (found.name !== 'CONTINUED_AS_NEW') return { workflowId, runId };
    }
    return undefined;
  });
}
