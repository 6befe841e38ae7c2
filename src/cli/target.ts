import { workflowIdOf } from '../contract.ts';
import { isOpen } from '../domain/execution-status.ts';
import { oddities } from '../records/attributes.ts';
import { readHistoryRecord, type ReadHistoryRecord } from '../records/history-table.ts';
import { KEY_MAX_BYTES } from '../records/items.ts';
import { CliError, notFound } from './errors.ts';
import { describeBuild, findJob, findStartsOf, firstRunIdOf, readStart } from './find-build.ts';
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
    const { execution, unsure } = await findJob(services, options.jobId);
    if (execution === undefined) throw notFoundOr(name, unsure);
    return { name, workflowId: execution.workflow_id, jobId: options.jobId };
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
  // No record is under another key, so DynamoDB would refuse to look for it.
  const [name = '', maxBytes] = account === undefined ? [ways[0], KEY_MAX_BYTES[0]] : [resource, KEY_MAX_BYTES[1]];
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > maxBytes) {
    throw new CliError('usage', `what names a build must have 1 to ${maxBytes} bytes, not ${bytes}`);
  }
}

/** The history record names the build; Temporal is searched for one that has not written it yet, or could not. */
async function findRequest(services: Services, correlationId: string): Promise<Target> {
  const name = `request ${correlationId}`;
  const history = await services.dynamoDb(() => readHistoryRecord(services.tables, correlationId));
  if (history?.account_id !== undefined && history.resource !== undefined) {
    const workflowId = workflowIdOf(history.account_id, history.resource);
    const askedAgain = await runningJobOf(services, workflowId, correlationId);
    if (askedAgain !== undefined) return { name, workflowId, jobId: askedAgain };
    return { name, workflowId, jobId: history.job_id ?? NO_JOB, history };
  }
  const { starts, unsure } = await findStartsOf(services, correlationId);
  const [start, ...others] = starts;
  if (start === undefined && history !== undefined) {
    throw new CliError('notFound', `the history record of ${name} does not say whose it is: ${oddities(history)}`, {
      fields: { ...history },
      hint: 'role-build doctor shows what can be mended',
    });
  }
  if (start === undefined) throw notFoundOr(name, unsure);
  if (others.length > 0) {
    const ids = starts.map(({ workflow_id }) => workflow_id);
    throw new CliError('usage', `${ids.length} builds say that they are of ${name}: ${ids.join(', ')}`, {
      fields: { workflow_ids: ids },
      hint: 'name the one that is meant by ACCOUNT RESOURCE or --job-id',
    });
  }
  return { name, workflowId: start.workflow_id, jobId: start.job_id };
}

/** The job that runs under a workflow ID, where it is one of that request. */
async function runningJobOf(
  services: Services,
  workflowId: string,
  correlationId: string,
): Promise<string | undefined> {
  const latest = await describeBuild(services, workflowId);
  if (latest === undefined || !isOpen(latest.status.name)) return undefined;
  const start = await readStart(services, workflowId, latest.runId);
  return start?.input.correlation_id === correlationId ? firstRunIdOf(latest) : undefined;
}

function notFoundOr(name: string, unsure: string | undefined): CliError {
  if (unsure === undefined) return notFound(name);
  return new CliError('notFound', `no build found for ${name}: ${unsure}`, { hint: 'name it by ACCOUNT RESOURCE' });
}
