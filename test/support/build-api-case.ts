import type { Simulate } from '../../dev/simulated-build-api/server.ts';

/** What the build API does to one build, and the expected end. */
export interface BuildApiCase {
  name: string;
  simulate: Simulate;
  /** `Error` of a failed build; absent if the build ends COMPLETE. */
  error?: string;
  cause?: RegExp;
  /** The expected number of requests. */
  posts: number;
  gets: number;
}
