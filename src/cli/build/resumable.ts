import { isOpen } from '../../domain/execution-status.ts';
import { defined } from '../../domain/defined.ts';
import { buildIdFault } from '../../domain/build-status.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { isEndStatus } from '../../domain/record-status.ts';
import { resumedBy, wayToResume, withPreviousJob } from '../../domain/previous-jobs.ts';
import type { PreviousJob } from '../../domain/resumption.ts';
import { oddities, type AsRead } from '../../records/attributes.ts';
import { readHistoryRecord, type HistoryRecord } from '../../records/history-table.ts';
import type { Table } from '../../records/items.ts';
import type { StatusRecord } from '../../records/status-table.ts';
import { CliError, notFound } from '../errors/cli-error.ts';
import { describeBuild, firstRunIdOf } from './find.ts';
import type { Services } from '../services.ts';
import { recordUnder, type Target } from './target.ts';

/** A build that ended before the build API had decided it. */
export type Resumable = Awaited<ReturnType<typeof findResumable>>;

/**
 * Finds the job to resume: the last one of its account and resource, as the status record says.
 *
 * @throws CliError `inProgress` if it runs; `notFound` with the reason if there is nothing to resume
 */
export async function findResumable(services: Services, target: Target) {
  const record = await findEnded(services, target);
  if (record.status !== 'FAILED') throw nothing(target, whyNotFailed(record));
  const read = await services.dynamoDb(() => readHistoryRecord(services.tables, record.correlation_id));
  const history = read && whole<HistoryRecord>(target, 'history', read);
  const isOwn = history?.account_id === record.account_id && history.resource === record.resource;
  if (history !== undefined && (!isOwn || history.job_id !== record.job_id)) {
    throw nothing(target, `the history of request ${record.correlation_id} names job ${history.job_id}`);
  }
  const build_id = pickBuildId(record, target, history?.previous_jobs ?? []);
  if (history?.build_id !== undefined && build_id !== undefined && history.build_id !== build_id) {
    throw nothing(target, 'its two records have different values of build_id');
  }
  return {
    record,
    // If the job was terminated between its final record updates, only the status record has its end.
    previous_jobs: withPreviousJob(history?.previous_jobs ?? [], isEndStatus(history?.status) ? history : record),
    // With a build_id, the resume polls on; without one, it makes the POST again.
    ...defined({ build_id, requested_by: history?.requested_by }),
  };
}

const NO_RECORD = 'it has no record, so it ended before anything was done; start it again';

async function findEnded(services: Services, target: Target): Promise<StatusRecord> {
  const latest = await describeBuild(services, target.workflowId);
  if (latest !== undefined && isOpen(latest.status.name)) {
    const jobId = firstRunIdOf(latest) ?? latest.runId;
    throw new CliError('inProgress', `job ${jobId} is running (workflow ${target.workflowId}): nothing to resume`, {
      fields: { workflow_id: target.workflowId, job_id: jobId },
    });
  }
  const read = await recordUnder(services, target.workflowId);
  if (read === undefined) throw latest === undefined ? notFound(target.name) : nothing(target, NO_RECORD);
  if (read.status === 'IN_PROGRESS' && isStepFunctionsJob(read.job_id)) {
    throw nothing(target, `an execution of Step Functions holds its record: ${read.job_id}`);
  }
  const record = whole<StatusRecord>(target, 'status', read);
  if (![undefined, record.job_id].includes(target.jobId)) {
    throw nothing(target, `job ${record.job_id} has taken its record since`);
  }
  return record;
}

function whyNotFailed({ status }: StatusRecord): string {
  return status === 'IN_PROGRESS'
    ? 'its record is IN_PROGRESS and no workflow runs; role-build doctor finds out how it ended'
    : `it ended ${status}`;
}

/** @throws CliError `notFound` unless the record has an end that can be resumed */
function pickBuildId(
  { error_info, build_id }: StatusRecord,
  target: Target,
  previous_jobs: readonly PreviousJob[],
): string | undefined {
  const how = wayToResume({ ...defined({ error_info, build_id }) }, previous_jobs);
  if (how === 'trigger') return undefined;
  if (how === undefined && build_id === undefined && resumedBy(error_info?.Error) === 'poll') {
    throw nothing(target, `it ended with ${error_info?.Error} before the build API gave a build_id; start it again`);
  }
  if (how === undefined) throw nothing(target, `it ended FAILED with ${error_info?.Error ?? 'no error_info'}`);
  const fault = buildIdFault(build_id);
  if (fault !== undefined) throw nothing(target, `its record is odd: ${fault}`);
  return build_id;
}

/** A job can be resumed even if these are odd. */
const NOT_NEEDED = ['updated_at', 'requested_by', 'cancelled_by', 'directory_group'];

/** @throws CliError `notFound` if an attribute that a resume needs is odd */
function whole<R>(target: Target, table: Table, record: AsRead<R>): R {
  if (Object.keys(record.odd_attributes ?? {}).every((name) => NOT_NEEDED.includes(name))) return record as R;
  const fix = 'role-build doctor --fix repairs what Temporal still knows, the rest has to be repaired by hand';
  throw nothing(target, `the ${table} record is odd: ${oddities(record)}; ${fix}`);
}

function nothing(target: Target, why: string): CliError {
  return new CliError('notFound', `nothing to resume for ${target.name}: ${why}`);
}
