import { addAbortListener } from 'node:events';
import { activityInfo, cancellationSignal, type Info } from '@temporalio/activity';
import { requestOwnCancellation } from '../../src/activities/own-workflow.ts';
import type { DirectoryActivities, OwnWorkflowActivities, RoleBuildActivities } from '../../src/activities/types.ts';

type Activities = RoleBuildActivities & DirectoryActivities & OwnWorkflowActivities;
export type ActivityName = keyof Activities;
type Result<N extends ActivityName> = Awaited<ReturnType<Activities[N]>>;

/** One attempt at an activity. Times are the server's unless stated otherwise. */
export interface Attempt<N extends ActivityName = ActivityName> {
  activity: N;
  args: Parameters<Activities[N]>;
  /** 1 for the first. */
  attempt: number;
  startedMs: number;
  /** The policy that applies if the attempt fails. Not every server reports that of an ordinary activity. */
  retryPolicy: Info['retryPolicy'];
  /** Absent while the attempt is under way. */
  endedMs?: number;
  /** The start by this machine's clock. */
  realMs: number;
  /** Aborted once the attempt learns of a cancellation. */
  signal: AbortSignal;
}

/** How an attempt ends: with a result, with an error, or with what a function returns. */
export type Answer<N extends ActivityName> = Result<N> | Error | ((attempt: Attempt<N>) => Promise<Result<N>>);

/** The answers to the attempts at each activity, in order; later attempts get those of {@link GOOD}. */
export type Script = { readonly [N in ActivityName]?: Iterable<Answer<N>> };

export const BUILD_ID = 'build-1';
export const FREE_NAME = { name: 'AWS-1-x', dn: 'CN=AWS-1-x,DC=example', outcome: 'would_create' } as const;
export const GROUP = { ...FREE_NAME, object_guid: '0-0', outcome: 'created' } as const;

/** Every step succeeds at once; `requestOwnCancellation` calls the real server. */
const GOOD: { readonly [N in ActivityName]: Answer<N> } = {
  upsertRequestRecord: null,
  insertRequestHistory: null,
  triggerBuild: { build_id: BUILD_ID },
  checkDirectoryGroup: FREE_NAME,
  ensureDirectoryGroup: GROUP,
  getBuildStatus: { can_retry: false, build_status: 'SUCCEEDED' },
  updateSuccessfulRecord: null,
  updateSuccessfulHistory: null,
  updateFailedRecord: null,
  updateFailedHistory: null,
  updateCancelledRecord: null,
  updateCancelledHistory: null,
  checkCarriedInput: [],
  requestOwnCancellation,
};

/** Fake activities for one worker: each workflow follows its own script, and every attempt is recorded. */
export class ScriptedActivities {
  readonly #nowMs: () => Promise<number>;
  readonly #workflows = new Map<string, { answers: Map<string, Iterator<unknown>>; attempts: Attempt[] }>();

  constructor(nowMs: () => Promise<number>) {
    this.#nowMs = nowMs;
  }

  /** Sets the answers to a workflow's activities. @returns its attempts, to which later ones are added */
  follow(workflowId: string, script: Script): Attempt[] {
    const answers = Object.entries(script).map(([name, of]) => [name, of[Symbol.iterator]()] as const);
    const attempts: Attempt[] = [];
    this.#workflows.set(workflowId, { answers: new Map<string, Iterator<unknown>>(answers), attempts });
    return attempts;
  }

  get activities(): Activities {
    const names = Object.keys(GOOD) as ActivityName[];
    const entries = names.map((name) => [name, (...args: never) => this.#attempt(name, args)]);
    return Object.fromEntries(entries) as Activities;
  }

  async #attempt<N extends ActivityName>(activity: N, args: Parameters<Activities[N]>): Promise<Result<N>> {
    const { workflowExecution, attempt, retryPolicy } = activityInfo();
    const signal = cancellationSignal();
    const workflow = this.#workflows.get(workflowExecution?.workflowId ?? '');
    if (workflow === undefined) throw new Error('this workflow has no script');

    const startedMs = await this.#nowMs();
    const record: Attempt<N> = { activity, args, attempt, retryPolicy, startedMs, realMs: Date.now(), signal };
    workflow.attempts.push(record);
    const next = workflow.answers.get(activity)?.next();
    const answer = (next === undefined || next.done === true ? GOOD[activity] : next.value) as Answer<N>;
    try {
      if (answer instanceof Error) throw answer;
      return typeof answer === 'function' ? await answer(record) : answer;
    } finally {
      record.endedMs = await this.#nowMs();
    }
  }
}

export function* always<T>(answer: T): Generator<T> {
  for (;;) yield answer;
}

export function times<T>(count: number, answer: T): T[] {
  return Array.from({ length: count }, () => answer);
}

/** The longest possible attempt at a call of the build API. */
const ATTEMPT_MAX_MS = 65_000;

/** Never ends unless it is cancelled. The SDK may lose the cancellation of a workflow that was evicted meanwhile. */
export function untilCancelled({ signal }: { signal: AbortSignal }): Promise<never> {
  return new Promise((_resolve, reject) => {
    const late = setTimeout(() => reject(new Error('nobody cancelled it')), ATTEMPT_MAX_MS);
    addAbortListener(signal, () => {
      clearTimeout(late);
      reject(signal.reason as Error);
    });
  });
}

/** An attempt that the test holds until it decides; cancellation does not end it. */
export class Held<N extends ActivityName> {
  readonly #began = Promise.withResolvers<Attempt<N>>();
  readonly #outcome = Promise.withResolvers<Result<N>>();
  readonly answer = (attempt: Attempt<N>): Promise<Result<N>> => {
    this.#began.resolve(attempt);
    return this.#outcome.promise;
  };

  began(): Promise<Attempt<N>> {
    return this.#began.promise;
  }

  succeed(result: Result<N>): void {
    this.#outcome.resolve(result);
  }

  fail(error: Error): void {
    this.#outcome.reject(error);
  }
}
