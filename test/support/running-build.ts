import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { temporal } from '@temporalio/proto';
import type { RoleBuildOutcome } from '../../src/contract.ts';
import type { Job } from '../../src/domain/identity.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { lastWarnings } from './quiet-runtime.ts';
import type { ActivityName, Attempt } from './scripted-activities.ts';
import { until } from './until.ts';

/** Far longer than any build takes here on a busy machine. */
const GIVE_UP_MS = 120_000;
/** The state of a pending activity without an attempt under way. */
const SCHEDULED = 1;

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** How a workflow ended, as its caller sees it. */
export type WorkflowEnd =
  | { status: 'COMPLETED'; outcome: RoleBuildOutcome }
  | { status: 'FAILED'; type: string; message: string; details: unknown[] }
  | { status: 'CANCELLED' };

/** A running build, with the calls of its activities so far. */
export class RunningBuild {
  readonly handle: WorkflowHandle;
  readonly jobId: string;
  readonly input: RoleBuildInput;
  /** Every attempt at every activity, in order. */
  readonly attempts: readonly Attempt[];

  constructor(handle: WorkflowHandle, jobId: string, input: RoleBuildInput, attempts: readonly Attempt[]) {
    this.handle = handle;
    this.jobId = jobId;
    this.input = input;
    this.attempts = attempts;
  }

  /** The names of the activities, one for each attempt. */
  get steps(): ActivityName[] {
    return this.attempts.map(({ activity }) => activity);
  }

  attemptsAt<N extends ActivityName>(activity: N): Attempt<N>[] {
    return this.attempts.filter((attempt): attempt is Attempt<N> => attempt.activity === activity);
  }

  /** Returns the arguments of the only attempt at an activity. */
  argsOf<N extends ActivityName>(activity: N): Attempt<N>['args'] {
    const attempts = this.attemptsAt(activity);
    const [attempt] = attempts;
    if (attempt === undefined || attempts.length > 1) throw new Error(`${activity}: ${attempts.length} attempts`);
    return attempt.args;
  }

  get job(): Job {
    const [first] = this.attemptsAt('upsertRequestRecord');
    if (first === undefined) throw new Error('the first put was not tried');
    return first.args[1];
  }

  /** Lets time skip until the workflow has ended. @throws if that takes too long by the machine's clock */
  async end(giveUpMs = GIVE_UP_MS): Promise<WorkflowEnd> {
    const deadline = new AbortController();
    const inVain = new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not ended in ${giveUpMs / 1000} s: ${this.steps.join(' ')}\n${lastWarnings()}`)),
        giveUpMs,
      );
      deadline.signal.addEventListener('abort', () => clearTimeout(timer));
    });
    try {
      return await Promise.race([this.#end(), inVain]);
    } finally {
      deadline.abort();
    }
  }

  async #end(): Promise<WorkflowEnd> {
    try {
      return { status: 'COMPLETED', outcome: (await this.handle.result()) as RoleBuildOutcome };
    } catch (err) {
      if (!(err instanceof WorkflowFailedError)) throw err;
      if (err.cause instanceof CancelledFailure) return { status: 'CANCELLED' };
      if (!(err.cause instanceof ApplicationFailure)) throw err;
      const { type, message, details } = err.cause;
      return { status: 'FAILED', type: type ?? '', message, details: details ?? [] };
    }
  }

  /** Returns the events of each of its runs, in order. */
  async runs(): Promise<HistoryEvent[][]> {
    const runs: HistoryEvent[][] = [];
    for (let runId: string | null | undefined = this.jobId; runId;) {
      const { events } = await this.handle.client.getHandle(this.handle.workflowId, runId).fetchHistory();
      runs.push(events ?? []);
      runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    }
    return runs;
  }

  /** Resets a run to its first workflow task, as an operator may do. */
  async resetToFirstTask(runId: string): Promise<void> {
    const { client, workflowId } = this.handle;
    const { events } = await client.getHandle(workflowId, runId).fetchHistory();
    const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
    await client.workflowService.resetWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId, runId },
      workflowTaskFinishEventId: first?.eventId ?? null,
      requestId: randomUUID(),
    });
  }

  /** Returns the durations of its timers from its history. */
  async timersMs(): Promise<number[]> {
    const events = (await this.runs()).flat();
    return events.flatMap(({ timerStartedEventAttributes: timer }) =>
      timer ? [tsToMs(timer.startToFireTimeout)] : [],
    );
  }

  /** Returns the events of its latest run. */
  async history(): Promise<HistoryEvent[]> {
    return (await this.handle.fetchHistory()).events ?? [];
  }

  /** Waits for the `count`th history event with these attributes. */
  async untilEvent(attributes: keyof HistoryEvent, count = 1): Promise<void> {
    await until(`${attributes} is in the history ${count} times`, async () => {
      const found = (await this.history()).filter((event) => event[attributes]);
      return found.length >= count;
    });
  }

  async untilBegun(activity: ActivityName): Promise<void> {
    await until(`${activity} has begun`, () => this.attemptsAt(activity).length > 0);
  }

  /** Waits until the `count`th attempt at an activity has ended. */
  async untilAttempted(activity: ActivityName, count = 1): Promise<void> {
    await until(`${activity} is over ${count} times`, () => this.#isOver(activity, count));
  }

  #isOver(activity: ActivityName, count: number): boolean {
    return this.attemptsAt(activity).filter(({ endedMs }) => endedMs !== undefined).length >= count;
  }

  /** Does as {@link untilAttempted}, and advances the server's time in steps of one second meanwhile. */
  async sleepUntilAttempted(
    server: { sleep(ms: number): Promise<void> },
    activity: ActivityName,
    count = 1,
  ): Promise<void> {
    await until(`${activity} is over ${count} times`, async () => {
      if (this.#isOver(activity, count)) return true;
      await server.sleep(1_000);
      return false;
    });
  }

  /** Waits until an attempt has failed and the next one waits for its backoff. */
  async untilBackoff(attempt = 2): Promise<void> {
    await until(`attempt ${attempt} is to come`, async () => {
      const { raw } = await this.handle.describe();
      const pending = raw.pendingActivities ?? [];
      return pending.some((activity) => activity.attempt === attempt && Number(activity.state) === SCHEDULED);
    });
  }
}
