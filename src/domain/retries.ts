/** How often and when a step is tried again. */

/** As the state machine's `Retry` of every Task state has it: after 3 s and after 6 s. */
export const STEP_RETRY = { firstMs: 3_000, backoffCoefficient: 2, attempts: 3 } as const;

/** The durable wait between rounds of attempts at a final record update, and at a group. */
export const FINAL_UPDATE_RETRY = { firstMs: 30_000, backoffCoefficient: 2, maxMs: 600_000 } as const;

/** A `Retry-After` beyond this is taken as this. */
export const RETRY_AFTER_MAX_MS = 3_600_000;
