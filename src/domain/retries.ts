/** How often and when a step is tried again. */

/** The `Retry` of every Task state in the state machine: retries after 3 s and after 6 s. */
export const STEP_RETRY = { firstMs: 3_000, backoffCoefficient: 2, attempts: 3 } as const;

/** The durable wait between rounds of attempts at a final record update, and at a group. */
export const FINAL_UPDATE_RETRY = { firstMs: 30_000, backoffCoefficient: 2, maxMs: 600_000 } as const;

/** A longer `Retry-After` is cut to this. */
export const RETRY_AFTER_MAX_MS = 3_600_000;
