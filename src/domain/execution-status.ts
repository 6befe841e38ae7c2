/** Whether an execution is open. A paused one is open, and so is one whose status only a later Temporal knows. */

/** Statuses of closed executions, as Temporal's SDK spells them. */
const CLOSED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT'] as const;

/** @param status as the SDK spells it; `undefined` if there is no execution */
export function isOpen(status: string | undefined): boolean {
  return status !== undefined && !CLOSED.some((closed) => closed === status);
}

/** The same condition as a visibility query. */
export const OPEN_QUERY = 'CloseTime IS NULL';

/** Quotes a text for a visibility query. */
export function quotedForQuery(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

/** A paused execution is open, but does nothing until somebody unpauses it. */
export function isPaused(status: string | undefined): boolean {
  return status === 'PAUSED';
}
