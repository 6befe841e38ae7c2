import { errorInfo, type ErrorInfo } from './failures.ts';

/** What is kept of the build API's answer to `GET /build/{build_id}`. */
export interface BuildStatusAnswer {
  /** `true` only where the API said exactly `true`. */
  can_retry: boolean;
  /** The API's word, where it is text; else `null`. */
  build_status: string | null;
  /** The whole answer as JSON, without the credential and cut to fit a record; only where the build has failed. */
  answer?: string;
  /** The API was not asked, since the worker had reached its limit: then `can_retry` is `true`, and the next poll is the next try. */
  put_off?: true;
}

export type Verdict = 'undecided' | 'succeeded' | 'failed';

/** The original's Choice state `CheckBuildStatus`, in its order: `can_retry` outranks even SUCCEEDED. */
export function checkBuildStatus(answer: Pick<BuildStatusAnswer, 'can_retry' | 'build_status'>): Verdict {
  if (answer.can_retry) return 'undecided';
  return answer.build_status === 'SUCCEEDED' ? 'succeeded' : 'failed';
}

/** The state that the original names and leaves undefined. */
export function generateBuildStatusErrorMessage(buildId: string, answer: BuildStatusAnswer): ErrorInfo {
  const status = answer.build_status ?? 'no build_status';
  return errorInfo(
    'BuildFailed',
    `GetBuildStatus: build ${buildId} ended with ${status}. Last answer: ${answer.answer}`,
  );
}
