import { until } from '../support/stack.ts';

/** Many processes start at once here, on machines that may be busy. */
const LIMIT_MS = 120_000;

/** Waits until a condition holds. @throws after two minutes, with `what` in the message */
export function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  return until(what, condition, LIMIT_MS);
}
