/** What Temporal has of a request: the last execution under the workflow ID of its account and resource. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { STATE_NAMES } from '../../activities/types.ts';
import { isOpen } from '../../domain/execution-status.ts';
import type { ErrorInfo } from '../../domain/failures.ts';
import { PayloadUnreadableError } from '../../encryption/unreadable.ts';
import { recordOf } from '../build-history.ts';
import { readBuildHistory } from '../build-view.ts';
import { describeBuild, firstRunIdOf, readStart } from '../find-build.ts';
import type { Services } from '../services.ts';
import type { Request } from './requests.ts';

export interface LastExecution {
  runId: string;
  isOpen: boolean;
  /** Its job, where it is open and of this request. */
  ownJob?: string;
}

/** How a build ended, with the names of the records. */
export interface BuildEnd {
  status: string;
  job_id?: string;
  error_info?: ErrorInfo;
}

/** As Temporal itself has it: its visibility is late, and a search attribute is what a starter says. */
export async function lastExecutionOf(
  services: Services,
  { input, workflowId }: Request,
): Promise<LastExecution | undefined> {
  const last = await describeBuild(services, workflowId);
  if (last === undefined) return undefined;
  const { runId, status } = last;
  if (!isOpen(status.name)) return { runId, isOpen: false };
  const start = await unlessUnreadable(readStart(services, workflowId, runId));
  const isOwn = start?.input.correlation_id === input.correlation_id;
  return { runId, isOpen: true, ...(isOwn ? { ownJob: firstRunIdOf(last) ?? runId } : {}) };
}

/**
 * A build whose POST was made has left its records, be they in other tables or deleted since; it is not made again.
 *
 * @returns `undefined` where the request's POST was not made
 */
export async function endOf(
  services: Services,
  { input, workflowId }: Request,
  runId = '',
): Promise<BuildEnd | undefined> {
  const build = await unlessUnreadable(readBuildHistory(services, workflowId, runId));
  if (build?.input?.correlation_id !== input.correlation_id) return undefined;
  const wasPosted = build.steps.some(({ step }) => step === STATE_NAMES.triggerBuild);
  if (!wasPosted && build.continued !== true && build.resumes === undefined) return undefined;
  const { status, error_info } = recordOf(build);
  const { job_id } = build;
  return { status, ...(job_id === undefined ? {} : { job_id }), ...(error_info === undefined ? {} : { error_info }) };
}

/** What we have no key for is another's. */
async function unlessUnreadable<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (err) {
    if (err instanceof PayloadUnreadableError || err instanceof WorkflowNotFoundError) return undefined;
    throw err;
  }
}
