import { errorInfo, type ErrorInfo } from './failures.ts';

/** What the workflow keeps of the build API's answer to `GET /build/{build_id}`. */
export interface BuildStatusAnswer {
  /** `true` only if the answer has exactly `true`. */
  can_retry: boolean;
  /** The answer's `build_status` if it is a string, else `null`. */
  build_status: string | null;
  /** The whole answer as JSON, without the credential and cut to fit a record. Only set if the build has failed. */
  answer?: string;
  /** The worker had reached its rate limit and made no request. `can_retry` is `true`: the next poll tries again. */
  put_off?: true;
}

/** Checks a value such as an activity's result from a history. */
export function isBuildStatusAnswer(value: unknown): value is BuildStatusAnswer {
  const { can_retry, build_status, answer } = (value ?? {}) as Partial<Record<keyof BuildStatusAnswer, unknown>>;
  const isText = (one: unknown) => typeof one === 'string';
  return typeof can_retry === 'boolean' && [build_status ?? '', answer ?? ''].every(isText);
}

export type Verdict = 'deferred' | 'undecided' | 'succeeded' | 'failed';

/** The state machine's Choice state `CheckBuildStatus`, in its order: `can_retry` outranks even SUCCEEDED. */
export function checkBuildStatus(answer: Pick<BuildStatusAnswer, 'can_retry' | 'build_status' | 'put_off'>): Verdict {
  if (answer.put_off === true) return 'deferred';
  if (answer.can_retry) return 'undecided';
  return answer.build_status === 'SUCCEEDED' ? 'succeeded' : 'failed';
}

export interface Polls {
  /** GETs that were answered. */
  polls: number;
  /** The last `build_status`, or `(none)`. */
  last_status?: string;
}

/** Counts one more poll in `seen`. A deferred poll is no answer and changes nothing. */
export function takePoll(seen: Polls, answer: BuildStatusAnswer): Verdict {
  const verdict = checkBuildStatus(answer);
  if (verdict === 'deferred') return verdict;
  seen.polls += 1;
  seen.last_status = answer.build_status ?? '(none)';
  return verdict;
}

/** The state machine names this state but does not define it. */
export function generateBuildStatusErrorMessage(buildId: string, answer: BuildStatusAnswer): ErrorInfo {
  const status = answer.build_status ?? 'no build_status';
  return errorInfo(
    'BuildFailed',
    `GetBuildStatus: build ${buildId} ended with ${status}. Last answer: ${answer.answer}`,
  );
}

/** A longer ID would not fit into a request's path. */
const BUILD_ID_MAX_CHARACTERS = 2_048;

/** Returns why a build ID can't be one segment of a request's path, or `undefined`. */
export function buildIdFault(id: unknown): string | undefined {
  if (typeof id !== 'string') return 'build_id is no string';
  if (id === '') return 'build_id is empty';
  if (id.length > BUILD_ID_MAX_CHARACTERS) {
    return `build_id has ${id.length} characters, more than ${BUILD_ID_MAX_CHARACTERS}`;
  }
  if (id === '.' || id === '..') return `build_id is "${id}", which is no path segment`;
  if (!id.isWellFormed()) return 'build_id is not well-formed Unicode';
  return undefined;
}
