import { randomUUID } from 'node:crypto';
import type { Fault, Outcome, Simulate } from './faults.ts';

/** A build, as `GET /_simulator/builds` shows it. */
export interface Build {
  build_id: unknown;
  correlation_id: string;
  /** The number of polls that took effect. */
  polls: number;
  /** How the build ended, or will end. */
  outcome: Outcome;
}

export interface BuildStatus {
  build_id: unknown;
  build_status: 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED';
  can_retry: boolean;
  message?: string;
}

const UNDECIDED_POLLS = 1;

interface BuildState extends Build {
  simulate: Simulate;
  /** The number of GETs received, whether or not they took effect. */
  gets: number;
}

/** The builds made, at most one for each request ID. */
export class Builds {
  readonly #byCorrelationId = new Map<string, BuildState>();
  readonly #postsOf = new Map<string, number>();

  /** Counts a POST of this request ID. @returns the fault that its `simulate` lists for this POST, or `null` */
  nextTriggerFault(correlationId: string, simulate: Simulate): Fault | null {
    const earlier = this.#postsOf.get(correlationId) ?? 0;
    this.#postsOf.set(correlationId, earlier + 1);
    return simulate.trigger?.[earlier] ?? null;
  }

  /** Counts a GET of this build. @returns the fault that its `simulate` lists for this GET, or `null` */
  nextStatusFault(segment: string, correlationId: string): Fault | null {
    const build = this.#find(segment, correlationId);
    return build === undefined ? null : (build.simulate.status?.[build.gets++] ?? null);
  }

  /** @returns the build of this request ID; only the first call makes one */
  make(correlationId: string, simulate: Simulate): Build {
    const made = this.#byCorrelationId.get(correlationId);
    if (made !== undefined) return made;
    const build: BuildState = {
      build_id: 'build_id' in simulate ? simulate.build_id : randomUUID(),
      correlation_id: correlationId,
      polls: 0,
      outcome: simulate.outcome ?? 'SUCCEEDED',
      simulate,
      gets: 0,
    };
    this.#byCorrelationId.set(correlationId, build);
    return build;
  }

  /** Counts a poll. @returns the build's status after it, or `undefined` if no build has this ID */
  poll(segment: string, correlationId: string): BuildStatus | undefined {
    const build = this.#find(segment, correlationId);
    if (build === undefined) return undefined;
    build.polls += 1;
    const { build_id, polls, outcome, simulate } = build;
    if (outcome === 'NEVER' || polls <= (simulate.polls ?? UNDECIDED_POLLS)) {
      return { build_id, build_status: 'IN_PROGRESS', can_retry: true };
    }
    const message = simulate.message ?? (outcome === 'FAILED' ? 'the build was told to fail' : undefined);
    return { build_id, build_status: outcome, can_retry: false, ...(message === undefined ? {} : { message }) };
  }

  list(): Build[] {
    return [...this.#byCorrelationId.values()].map(({ build_id, correlation_id, polls, outcome }) => ({
      build_id,
      correlation_id,
      polls,
      outcome,
    }));
  }

  /** `simulate` can give builds the same ID. A request then finds its own build, or the last one made. */
  #find(segment: string, correlationId: string): BuildState | undefined {
    const own = this.#byCorrelationId.get(correlationId);
    if (own !== undefined && segmentOf(own) === segment) return own;
    return [...this.#byCorrelationId.values()].findLast((build) => segmentOf(build) === segment);
  }
}

function segmentOf({ build_id }: Build): string {
  return typeof build_id === 'string' ? build_id : JSON.stringify(build_id);
}
