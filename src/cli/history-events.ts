import { WorkflowNotFoundError, isGrpcServiceError } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { CliError } from './errors.ts';
import { GRPC_STATUS } from './grpc.ts';
import { serviceError } from './service-errors.ts';
import type { Services } from './services.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** The server answers a long poll within 20 s, empty where nothing happened. */
const LONG_POLL_MS = 30_000;
/** How long `--wait` puts up with a server that is away, before it says so and ends; the build goes on. */
const PATIENCE_MS = 600_000;
const RETRY_EVERY_MS = 1_000;

/**
 * A run's history events, in order.
 *
 * @param options `follow` waits for new events until the run has closed, through outages of the server
 * @throws CliError `unreachable`; WorkflowNotFoundError
 */
export async function* historyEvents(
  services: Services,
  { workflowId, runId }: { workflowId: string; runId: string },
  { follow, signal, pageSize }: { follow: boolean; signal?: AbortSignal; pageSize?: number },
): AsyncGenerator<HistoryEvent> {
  const { client, connection, namespace } = services;
  let nextPageToken: Uint8Array | undefined;
  let lastAnswerAt = performance.now();
  const page = () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId },
      waitNewEvent: follow,
      ...(pageSize === undefined ? {} : { maximumPageSize: pageSize }),
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
  for (;;) {
    let answer;
    try {
      answer = follow
        ? await connection.withDeadline(Date.now() + LONG_POLL_MS, () =>
            signal === undefined ? page() : connection.withAbortSignal(signal, page),
          )
        : await services.temporal(page);
    } catch (err) {
      if (isNotFound(err)) throw new WorkflowNotFoundError('not found', workflowId, runId);
      if (!follow || signal?.aborted === true) throw err;
      const told = serviceError(err, { service: 'Temporal' });
      if (told?.transient !== true) throw told ?? err;
      if (performance.now() - lastAnswerAt > PATIENCE_MS) {
        throw new CliError('unreachable', 'Temporal does not answer any more; the build goes on', { cause: err });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
      continue;
    }
    lastAnswerAt = performance.now();
    yield* answer.history?.events ?? [];
    nextPageToken = answer.nextPageToken;
    if (nextPageToken === undefined || nextPageToken === null || nextPageToken.length === 0) return;
  }
}

function isNotFound(err: unknown): boolean {
  return isGrpcServiceError(err) && (err.code as number) === GRPC_STATUS.NOT_FOUND;
}
