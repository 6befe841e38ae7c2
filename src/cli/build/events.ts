import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { defined } from '../../domain/defined.ts';
import { CliError } from '../errors/cli-error.ts';
import { hasGrpcStatus } from '../../domain/grpc.ts';
import type { Services } from '../services.ts';
import { closedAs, newBuildState, takeEvent, type BuildState, type HistoryEvent } from './state.ts';

/** How long `--wait` tolerates a server that can't be reached before it gives up. The build goes on. */
const PATIENCE_MS = 600_000;
const RETRY_EVERY_MS = 1_000;
/** Temporal has no long poll for a paused workflow, so it is polled at this interval. */
const PAUSED_LOOK_EVERY_MS = 2_000;

export interface Run {
  workflowId: string;
  runId: string;
}

export interface ReadOptions {
  /** Waits for new events until the run has closed, through outages of the server and pauses. */
  follow?: boolean;
  signal?: AbortSignal | undefined;
  pageSize?: number;
}

/**
 * Yields a run's events, in order.
 *
 * @throws CliError `unreachable`; WorkflowNotFoundError
 */
export async function* readEvents(
  services: Services,
  run: Run,
  { follow = false, signal, pageSize }: ReadOptions = {},
): AsyncGenerator<HistoryEvent> {
  const { client, namespace } = services;
  const call = <T>(send: () => Promise<T>): Promise<T> =>
    follow ? patiently(() => services.temporal(send, { signal }), services.note, signal) : services.temporal(send);
  let nextPageToken: Uint8Array | undefined;
  let last: HistoryEvent | undefined;
  const page = () =>
    client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: run,
      waitNewEvent: follow,
      ...defined({ maximumPageSize: pageSize, nextPageToken }),
    });
  try {
    for (;;) {
      const answer = await call(page);
      for (const event of answer.history?.events ?? []) {
        // After a pause, the history is read again from its start.
        if (idOf(event) <= idOf(last)) continue;
        last = event;
        yield event;
      }
      nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
      if (nextPageToken !== undefined) continue;
      if (!follow || closedAs(last) !== undefined) return;
      // The long poll ended although the run has not closed: it is paused.
      do await delay(PAUSED_LOOK_EVERY_MS, undefined, defined({ signal }));
      while (idOf(await call(() => lastEventOf(services, run))) <= idOf(last));
    }
  } catch (err) {
    if (hasGrpcStatus(err, 'NOT_FOUND') && !(err instanceof CliError))
      throw new WorkflowNotFoundError('not found', run.workflowId, run.runId);
    throw err;
  }
}

/** Yields a run's state after each of its events; always the same object. */
export async function* statesOf(
  services: Services,
  run: Run,
  options?: ReadOptions,
): AsyncGenerator<{ build: BuildState; isWorthSeeing: boolean }> {
  const build: BuildState = { ...newBuildState(), run_id: run.runId };
  const reader = services.payloadsOf(run.workflowId);
  for await (const event of readEvents(services, run, options)) {
    yield { build, isWorthSeeing: await takeEvent(build, event, reader) };
  }
}

/** Reads a run's first event: job, start and input. */
export async function readStarted(services: Services, run: Run): Promise<BuildState> {
  for await (const { build } of statesOf(services, run, { pageSize: 1 })) return build;
  return newBuildState();
}

export async function lastEventOf({ client, namespace }: Services, run: Run): Promise<HistoryEvent | undefined> {
  const request = { namespace, execution: run, maximumPageSize: 1 };
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse(request);
  return history?.events?.[0];
}

/** Repeats a call while the server can't be reached, and notes that once. */
export async function patiently<T>(
  call: () => Promise<T>,
  note: Services['note'],
  signal: AbortSignal | undefined,
): Promise<T> {
  // Measured from the first failure, not from the call: the process may have been stopped, or the machine asleep.
  let failsSince: number | undefined;
  for (let isNoted = false; ; isNoted = true) {
    try {
      return await call();
    } catch (err) {
      if (signal?.aborted === true || !(err instanceof CliError && err.transient)) throw err;
      failsSince ??= performance.now();
      if (performance.now() - failsSince > PATIENCE_MS) {
        throw new CliError('unreachable', 'Temporal does not answer any more; the build goes on', { cause: err });
      }
      if (!isNoted) note(`role-build: ${err.message}; trying again for ${PATIENCE_MS / 60_000} min, the build goes on`);
      await delay(RETRY_EVERY_MS);
    }
  }
}

function idOf(event: HistoryEvent | undefined): number {
  return Number(event?.eventId ?? 0);
}
