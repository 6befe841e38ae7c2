/** One job with all that is known of it: what stands where its records are or would be, and what became of its workflow. */
import type { ErrorInfo } from '../../domain/failures.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { isEndStatus, type EndStatus } from '../../domain/record-status.ts';
import { isOfKind } from '../../records/attributes.ts';
import { isKey, type Item, type Table } from '../../records/items.ts';
import { errorNameOf, factsOf, factsOfInput, textOf, type Facts } from './attributes.ts';
import { endOf, type End } from './trace.ts';
import type { Truth } from './truth.ts';

/** What stands in the tables where a job's records are or would be. */
export type Found = Record<Table, Item | undefined>;

/** Whose record it is that stands where this job's is or would be. `foreign`: not to be touched, or not to be found. */
type Place = 'own' | 'absent' | 'older' | 'newer' | 'foreign';

/** One job with all that is known of it. */
export interface Case {
  truth: Truth;
  facts: Facts;
  found: Found;
  places: Record<Table, Place>;
}

export const TABLES: readonly Table[] = ['status', 'history'];

/** @param jobId `undefined` where a record does not say it */
export function caseOf(jobId: string | undefined, found: Found, truth: Truth): Case {
  const ofJob = (table: Table) => (textOf(found[table], 'job_id') === jobId ? found[table] : undefined);
  const { input, start_at } = truth.trace?.build ?? {};
  const [status, history] = [ofJob('status'), ofJob('history')];
  const facts = factsOf([
    input === undefined ? undefined : { ...factsOfInput(input), job_id: jobId, start_at },
    status === undefined ? undefined : { ...status, request_id: status['correlation_id'] },
    history === undefined ? undefined : { ...history, correlation_id: history['request_id'] },
  ]);
  const places = { status: placeOf('status', jobId, found, facts), history: placeOf('history', jobId, found, facts) };
  return { truth, facts, found, places };
}

function placeOf(table: Table, jobId: string | undefined, found: Found, facts: Facts): Place {
  const item = found[table];
  if (item === undefined) return isKey(table, facts) ? 'absent' : 'foreign';
  if (textOf(item, 'job_id') === jobId) return 'own';
  if (isStepFunctionsJob(item['job_id'])) return 'foreign';
  if (item['account_id'] !== facts['account_id'] || item['resource'] !== facts['resource']) return 'foreign';
  const [theirs, ours] = [textOf(item, 'start_at'), facts['start_at']];
  return theirs !== undefined && typeof ours === 'string' && theirs < ours ? 'older' : 'newer';
}

/** Whether the build API's word would decide what neither Temporal nor the records do. */
export function isUndecided(c: Case): boolean {
  return (c.truth.state === 'lost' || c.truth.state === 'gone') && own(c).length > 0 && recordedEnd(c) === undefined;
}

/** The build API's ID of the job's build, from Temporal or from either record. */
export function buildIdOf(c: Case): string | undefined {
  const [inRecord] = own(c).flatMap(({ item }) => textOf(item, 'build_id') ?? []);
  return c.truth.trace?.build.build_id ?? inRecord;
}

export function own(c: Case): { table: Table; item: Item }[] {
  return TABLES.flatMap((table) => {
    const item = c.found[table];
    return item !== undefined && c.places[table] === 'own' ? [{ table, item }] : [];
  });
}

/** The different ends that the job's records tell. */
export function endsOf(c: Case): { table: Table; item: Item }[] {
  const ended = own(c).filter(({ item }) => isEndStatus(item['status']));
  return ended.filter(({ item }, i) => ended.findIndex((one) => endIn(one.item) === endIn(item)) === i);
}

/** The end that the job's records tell, where it is one: it was written by whoever knew it. */
export function recordedEnd(c: Case): End | undefined {
  const [one, another] = endsOf(c);
  if (one === undefined || another !== undefined) return undefined;
  const { status, error_info } = one.item;
  const why = status === 'FAILED' && isOfKind(error_info, 'error_info') ? (error_info as ErrorInfo) : undefined;
  return endOf(status as EndStatus, buildIdOf(c), why);
}

/** An `error_info` says something of a failure alone. */
function endIn(item: Item): string {
  return item['status'] === 'FAILED' ? inWords(item) : String(item['status']);
}

export function isVacant(place: Place): boolean {
  return place === 'absent' || place === 'older';
}

export function inWords(item: Item): string {
  const { status, error_info } = item;
  if (typeof status !== 'string') return `no status (${JSON.stringify(status)})`;
  const name = errorNameOf(item);
  if (error_info !== undefined && status !== 'FAILED')
    return `${status} with an error_info (${name ?? 'that is none'})`;
  return name === undefined ? status : `${status}, ${name}`;
}
