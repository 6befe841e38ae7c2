/** What is kept of the build API's answer to `GET /build/{build_id}`. */
export interface BuildStatusAnswer {
  /** `true` only where the API said exactly `true`. */
  can_retry: boolean;
  /** The API's word, where it is text; else `null`. */
  build_status: string | null;
  /** The whole answer as JSON, without the credential and cut to fit a record; only where the build has failed. */
  answer?: string;
}

export type Verdict = 'undecided' | 'succeeded' | 'failed';

/** The original's Choice state `CheckBuildStatus`, in its order: `can_retry` outranks even SUCCEEDED. */
export function checkBuildStatus(answer: Pick<BuildStatusAnswer, 'can_retry' | 'build_status'>): Verdict {
  if (answer.can_retry) return 'undecided';
  return answer.build_status === 'SUCCEEDED' ? 'succeeded' : 'failed';
}
