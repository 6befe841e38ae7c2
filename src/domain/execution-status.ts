/** Whether a workflow's execution is open: one that is paused is, and so is one in a state that only a later Temporal knows. */

/** Temporal's names for executions that have closed, as its SDK spells them. */
const CLOSED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT'] as const;

/** @param status its name, as the SDK spells it; `undefined` if there is no execution */
export function isOpen(status: string | undefined): boolean {
  return status !== undefined && !CLOSED.some((closed) => closed === status);
}

/** The same as a query of Temporal's visibility. */
export const OPEN_QUERY = 'CloseTime IS NULL';

/** A text as it stands in such a query. */
export function quotedForQuery(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

/** Whether an execution is open and does nothing until somebody lets it go on. */
export function isPaused(status: string | undefined): boolean {
  return status === 'PAUSED';
}
