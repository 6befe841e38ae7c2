import { setTimeout as delay } from 'node:timers/promises';
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
/** Of a workflow that is paused Temporal waits for no event: it is looked at so often. */
const PAUSED_LOOK_EVERY_MS = 2_000;

/**
 * A run's history events, in order.
 *
 * @param options `follow` waits for new events until the run has closed, through outages of the server and pauses
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
  let last: HistoryEvent | undefined;
  let isPaused = false;
  const call = <T>(send: () => Promise<T>): Promise<T> => {
    if (!follow) return services.temporal(send);
    return connection.withDeadline(Date.now() + LONG_POLL_MS, () =>
      signal === undefined ? send() : connection.withAbortSignal(signal, send),
    );
  };
  const request = { namespace, execution: { workflowId, runId } };
  const page = () =>
    client.workflowService.getWorkflowExecutionHistory({
      ...request,
      waitNewEvent: follow,
      ...(pageSize === undefined ? {} : { maximumPageSize: pageSize }),
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
  const hasNews = async () => {
    const { history } = await call(() =>
      client.workflowService.getWorkflowExecutionHistoryReverse({ ...request, maximumPageSize: 1 }),
    );
    return idOf(history?.events?.[0]) > idOf(last);
  };
  for (;;) {
    let answer;
    try {
      if (isPaused) {
        await delay(PAUSED_LOOK_EVERY_MS, undefined, signal === undefined ? {} : { signal });
        isPaused = !(await hasNews());
        lastAnswerAt = performance.now();
        if (isPaused) continue;
      }
      answer = await call(page);
    } catch (err) {
      if (isNotFound(err)) throw new WorkflowNotFoundError('not found', workflowId, runId);
      if (!follow || signal?.aborted === true) throw err;
      const told = serviceError(err, { service: 'Temporal' });
      if (told?.transient !== true) throw told ?? err;
      if (performance.now() - lastAnswerAt > PATIENCE_MS) {
        throw new CliError('unreachable', 'Temporal does not answer any more; the build goes on', { cause: err });
      }
      await delay(RETRY_EVERY_MS);
      continue;
    }
    lastAnswerAt = performance.now();
    for (const event of answer.history?.events ?? []) {
      // Those before a pause are read again.
      if (idOf(event) <= idOf(last)) continue;
      last = event;
      yield event;
    }
    nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
    if (nextPageToken !== undefined) continue;
    if (!follow || isClosing(last)) return;
    isPaused = true;
  }
}

function idOf(event: HistoryEvent | undefined): number {
  return Number(event?.eventId ?? 0);
}

function isClosing(event: HistoryEvent | undefined): boolean {
  return Boolean(
    event?.workflowExecutionCompletedEventAttributes ??
    event?.workflowExecutionFailedEventAttributes ??
    event?.workflowExecutionCanceledEventAttributes ??
    event?.workflowExecutionTerminatedEventAttributes ??
    event?.workflowExecutionTimedOutEventAttributes ??
    event?.workflowExecutionContinuedAsNewEventAttributes,
  );
}

function isNotFound(err: unknown): boolean {
  return isGrpcServiceError(err) && (err.code as number) === GRPC_STATUS.NOT_FOUND;
}
