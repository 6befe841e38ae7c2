import { randomUUID } from 'node:crypto';
import { activityInfo, getClient, log } from '@temporalio/activity';
import { OWN_CANCELLATION_REASON } from '../contract.ts';
import { clip } from '../domain/failures.ts';
import { hasGrpcStatus } from '../domain/grpc.ts';

/** What Temporal says of the workflow that the activity under way belongs to. */
export async function describeOwnWorkflow() {
  const { workflowService, options } = getClient();
  return workflowService.describeWorkflowExecution({ namespace: options.namespace, execution: ownExecution() });
}

export async function requestOwnCancellation(): Promise<void> {
  const { workflowId, runId } = ownExecution();
  const { workflowService, options } = getClient();
  try {
    await workflowService.requestCancelWorkflowExecution({
      namespace: options.namespace,
      workflowExecution: { workflowId, runId },
      identity: options.identity,
      requestId: randomUUID(),
      reason: OWN_CANCELLATION_REASON,
    });
  } catch (err) {
    // By an attempt whose answer was lost, or by somebody else.
    if (!hasGrpcStatus(err, 'ALREADY_EXISTS')) throw err;
  }
}

/**
 * Who asked to cancel the workflow that the activity under way belongs to, as the request's identity says. Looked up in
 * Temporal's history, newest event first, and in the runs before this one, since a request does not pass through
 * continue-as-new; `undefined` if that can't be read: a missing name must not keep a record from its end.
 */
export async function whoCancelled(): Promise<string | undefined> {
  const { workflowId, runId } = ownExecution();
  try {
    let next: string | undefined = runId;
    for (let runs = 0; next !== undefined && next !== '' && runs < RUNS_LOOKED_AT; runs += 1) {
      const found: RunLookedAt = await lookAtRun(workflowId, next);
      if (found.cancelledBy !== undefined) return found.cancelledBy;
      next = found.previousRunId;
    }
  } catch (err) {
    log.warn('who cancelled can not be read from the history', { err });
  }
  return undefined;
}

/** A cancelled build continues as new only for its final record updates: its own run or a few before hold the request. */
const RUNS_LOOKED_AT = 5;
const IDENTITY_MAX_CHARACTERS = 256;

interface RunLookedAt {
  cancelledBy?: string;
  previousRunId?: string;
}

async function lookAtRun(workflowId: string, runId: string): Promise<RunLookedAt> {
  const { workflowService, options } = getClient();
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await workflowService.getWorkflowExecutionHistoryReverse({
      namespace: options.namespace,
      execution: { workflowId, runId },
      ...(nextPageToken && { nextPageToken }),
    });
    for (const event of page.history?.events ?? []) {
      const identity = event.workflowExecutionCancelRequestedEventAttributes?.identity;
      if (identity) return { cancelledBy: clip(identity, IDENTITY_MAX_CHARACTERS) };
      const previousRunId = event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
      if (previousRunId) return { previousRunId };
    }
    nextPageToken = page.nextPageToken ?? undefined;
  } while (nextPageToken !== undefined && nextPageToken.length > 0);
  return {};
}

function ownExecution(): { workflowId: string; runId: string } {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new Error('only a workflow can call this');
  return workflowExecution;
}
