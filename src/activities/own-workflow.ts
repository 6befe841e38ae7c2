import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { activityInfo, getClient, log } from '@temporalio/activity';
import { OWN_CANCELLATION_REASON } from '../contract.ts';
import { clip } from '../domain/failures.ts';
import { hasGrpcStatus } from '../domain/grpc.ts';

/** Describes the workflow that called the current activity. */
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
    // An earlier attempt whose answer was lost, or somebody else, has requested it already.
    if (!hasGrpcStatus(err, 'ALREADY_EXISTS')) throw err;
  }
}

/**
 * Returns who asked to cancel the workflow that called the current activity, as the request's identity says. Reads
 * Temporal's history, newest event first, then the runs before this one, since a request does not pass through
 * continue-as-new. `undefined` if that fails or takes too long: a missing name must not keep a record from its end.
 */
export async function whoCancelled(): Promise<string | undefined> {
  const answer = getClient().withDeadline(Date.now() + LOOKED_UP_WITHIN_MS, lookUpWhoCancelled);
  // The SDK retries a call past its deadline while the server is away.
  return Promise.race([answer, delay(LOOKED_UP_WITHIN_MS, undefined, { ref: false })]);
}

/** Leaves the rest of an attempt's time to DynamoDB. */
const LOOKED_UP_WITHIN_MS = 3_000;

async function lookUpWhoCancelled(): Promise<string | undefined> {
  const { workflowId, runId } = ownExecution();
  try {
    let next: string | undefined = runId;
    for (let runs = 0; next && runs < RUNS_LOOKED_AT; runs += 1) {
      for await (const event of eventsBackwards(workflowId, next)) {
        const identity = event.workflowExecutionCancelRequestedEventAttributes?.identity;
        if (identity) return clip(identity, IDENTITY_MAX_CHARACTERS);
        // The last event is the run's start.
        next = event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
      }
    }
  } catch (err) {
    log.warn('who cancelled can not be read from the history', { err });
  }
  return undefined;
}

/** A cancelled build continues as new only for its final updates, so this run or a recent one has the request. */
const RUNS_LOOKED_AT = 5;
const IDENTITY_MAX_CHARACTERS = 256;

async function* eventsBackwards(workflowId: string, runId: string) {
  const { workflowService, options } = getClient();
  const run = { namespace: options.namespace, execution: { workflowId, runId } };
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await workflowService.getWorkflowExecutionHistoryReverse({ ...run, nextPageToken });
    yield* page.history?.events ?? [];
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
}

function ownExecution(): { workflowId: string; runId: string } {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new Error('only a workflow can call this');
  return workflowExecution;
}
