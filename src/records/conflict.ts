/** Messages about a record that blocks a build, with what to do about it. */
import { isStepFunctionsJob } from '../domain/identity.ts';
import { isHeldByStepFunctions, type FoundRecord } from './write.ts';

type Found = Pick<FoundRecord, 'job_id' | 'status' | 'start_at' | 'odd_attributes'>;

/** @returns `undefined` unless the record is IN_PROGRESS under an execution of Step Functions */
export function heldByStepFunctions(found: Found | undefined): string | undefined {
  if (found === undefined || !isHeldByStepFunctions(found)) return undefined;
  // Escaped as in JSON, so that text from an item can't begin a line of its own.
  const job = JSON.stringify(found.job_id).slice(1, -1);
  return `${job}, an execution of Step Functions, is IN_PROGRESS there; ${withoutStart(found) ?? '--take-over replaces its record'}`;
}

/**
 * `start_at` says which of two jobs is newer. A record without a readable `start_at` can't be replaced.
 *
 * @returns why not, or `undefined` if the record has one
 */
export function withoutStart(found: Found | undefined): string | undefined {
  if (found === undefined || found.start_at !== undefined) return undefined;
  const why = `no build can replace its record, since ${found.odd_attributes?.['start_at']}`;
  const byHand = 'set it by hand to when that job began, such as 2026-01-31T12:00:00.000Z, or delete the item';
  return isStepFunctionsJob(found.job_id)
    ? `${why}: ${byHand}`
    : `${why}: role-build doctor --fix sets it if Temporal still knows the job; else ${byHand}`;
}
