import type { Simulate } from '../../dev/simulated-build-api/server.ts';

/** What the build API does to one build, and what has to come of it. */
export interface BuildApiCase {
  name: string;
  simulate: Simulate;
  /** `Error` of a failed build; none for one that ends COMPLETE. */
  error?: string;
  cause?: RegExp;
  /** How often it is asked. */
  posts: number;
  gets: number;
}
