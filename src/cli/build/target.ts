import { parseRoleBuildId, workflowIdOf } from '../../contract.ts';
import { isOpen } from '../../domain/execution-status.ts';
import { oddities } from '../../records/attributes.ts';
import { readHistoryRecord, type ReadHistoryRecord } from '../../records/history-table.ts';
import { KEY_MAX_BYTES } from '../../records/items.ts';
import { readStatusRecord, type ReadStatusRecord } from '../../records/status-table.ts';
import { CliError, notFound } from '../errors/cli-error.ts';
import { describeBuild, findJob, findStartsOf, firstRunIdOf, onceListed, readStart } from './find.ts';
import type { CommandContext } from '../context.ts';
import type { Services } from '../services.ts';
import { leniently } from './follow.ts';

export interface TargetOptions {
  correlationId?: string;
  jobId?: string;
  workflowId?: string;
}

export const NAME_ONE = 'name one build: ACCOUNT RESOURCE, or --correlation-id, --job-id or --workflow-id';

/** One build, as far as it has been found. */
export interface Target {
  /** How the user named it, for messages. */
  name: string;
  workflowId: string;
  /** Set if one job is meant, else the last one is. Empty, and so no job's ID, if a record does not name its job. */
  jobId?: string;
  /** The record that names the job, if the user named a request. */
  history?: ReadHistoryRecord;
}

/**
 * Finds the build that a command is about, and opens the services for it.
 *
 * @throws CliError `usage` unless it is named in exactly one way; `notFound`
 */
export async function openTarget(context: CommandContext, options: TargetOptions) {
  checkTarget(context.args, options);
  const services = await context.services();
  return { services, target: await findTarget(services, context.args, options) };
}

async function findTarget(
  services: Services,
  [account = '', resource = '']: readonly string[],
  { workflowId, jobId, correlationId }: TargetOptions,
): Promise<Target> {
  if (workflowId !== undefined) return { name: workflowId, workflowId };
  if (jobId !== undefined) {
    const name = `job ${jobId}`;
    const look = () => findJob(services, jobId);
    const { execution, unsure } = await onceListed(services, jobId, look, (found) => found.execution !== undefined);
    if (execution === undefined) throw notFoundOr(name, unsure);
    return { name, workflowId: execution.workflowId, jobId };
  }
  if (correlationId !== undefined) return findRequest(services, correlationId);
  return { name: `${account} ${resource}`, workflowId: workflowIdOf(account, resource) };
}

/** Returns the ways in which a build is named: its account, its IDs. */
export function waysOf(account: string | undefined, options: TargetOptions): string[] {
  return [account, options.correlationId, options.jobId, options.workflowId].filter((way) => way !== undefined);
}

/** @throws CliError `usage` unless a build is named in exactly one way */
function checkTarget([account, resource]: readonly string[], options: TargetOptions): void {
  const ways = waysOf(account, options);
  if (ways.length !== 1 || (account !== undefined && resource === undefined)) {
    throw new CliError('usage', NAME_ONE);
  }
  if (account !== undefined && !/^\d{12}$/.test(account)) {
    throw new CliError('usage', `ACCOUNT must be 12 digits, not ${JSON.stringify(account)}`);
  }
  // No record can have a longer or an empty key; DynamoDB would refuse the read.
  const [name = '', maxBytes] = account === undefined ? [ways[0], KEY_MAX_BYTES[0]] : [resource, KEY_MAX_BYTES[1]];
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > maxBytes) {
    throw new CliError('usage', `the name of a build must have 1 to ${maxBytes} bytes, not ${bytes}`);
  }
}

/** Finds a build by its history record. Temporal is searched if the build has not written the record, or could not. */
async function findRequest(services: Services, correlationId: string): Promise<Target> {
  const name = `request ${correlationId}`;
  let away: CliError | undefined;
  const look = async () => {
    const reading = services.dynamoDb(() => readHistoryRecord(services.tables, correlationId));
    const record = await reading.catch((err: unknown) => {
      if (!(err instanceof CliError) || err.reason !== 'unreachable') throw err;
      away = err;
      return undefined;
    });
    const isNamed = record?.account_id !== undefined && record.resource !== undefined;
    return { history: record, ...(isNamed ? { starts: [] } : await findStartsOf(services, correlationId)) };
  };
  const { history, starts, unsure } = await onceListed(
    services,
    correlationId,
    look,
    (found) => found.history !== undefined || found.starts.length > 0,
  );
  if (history?.account_id !== undefined && history.resource !== undefined) {
    const workflowId = workflowIdOf(history.account_id, history.resource);
    const askedAgain = await runningJobOf(services, workflowId, correlationId);
    if (askedAgain !== undefined) return { name, workflowId, jobId: askedAgain };
    return { name, workflowId, jobId: history.job_id ?? '', history };
  }
  const [start, ...others] = starts;
  if (start === undefined && history !== undefined) {
    throw new CliError('notFound', `the history record of ${name} does not say whose it is: ${oddities(history)}`, {
      fields: { ...history },
      hint: 'role-build doctor shows what can be repaired',
    });
  }
  if (start === undefined) throw away ?? notFoundOr(name, unsure);
  if (away !== undefined) services.note(`role-build: found by Temporal alone: ${away.message}`);
  if (others.length > 0) {
    const ids = starts.map(({ workflow_id }) => workflow_id);
    throw new CliError('usage', `${ids.length} builds match ${name}: ${ids.join(', ')}`, {
      fields: { workflow_ids: ids },
      hint: 'name one of them by ACCOUNT RESOURCE or --job-id',
    });
  }
  return { name, workflowId: start.workflow_id, jobId: start.job_id };
}

/** Returns the job that runs under a workflow ID, if it belongs to the request. */
async function runningJobOf(
  services: Services,
  workflowId: string,
  correlationId: string,
): Promise<string | undefined> {
  const latest = await describeBuild(services, workflowId);
  if (latest === undefined || !isOpen(latest.status.name)) return undefined;
  const start = await readStart(leniently(services), workflowId, latest.runId);
  return start?.input.correlation_id === correlationId ? firstRunIdOf(latest) : undefined;
}

export async function recordUnder(services: Services, workflowId: string): Promise<ReadStatusRecord | undefined> {
  const key = parseRoleBuildId(workflowId);
  return key && services.dynamoDb(() => readStatusRecord(services.tables, key));
}

function notFoundOr(name: string, unsure: string | undefined): CliError {
  if (unsure === undefined) return notFound(name);
  return new CliError('notFound', `no build found for ${name}: ${unsure}`, { hint: 'name it by ACCOUNT RESOURCE' });
}
