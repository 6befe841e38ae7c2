/** Compares a job's two records with its actual state: what is wrong, and which writes repair it. */
import { isEndStatus, isRecordStatus, type RecordStatus } from '../../../domain/record-status.ts';
import { REQUIRED } from '../../../records/attributes.ts';
import type { Item, Table } from '../../../records/items.ts';
import type { RecordWrite } from '../../../records/repair.ts';
import { lostEnd } from './actual-state.ts';
import type { ApiAnswer } from './ask-api.ts';
import { CLOCKS_APART_MS } from './clock.ts';
import { errorNameOf, faultsOf, isErrorInfoRight, textOf, type Facts } from './facts.ts';
import type { Finding, FindingKind } from './findings.ts';
import { saying, type Observation } from './observation.ts';
import type { End } from './trace.ts';

/** The status that a record should have, with its attributes. */
type DesiredState = Omit<End, 'status'> & { status: RecordStatus };

interface DescribedWrite extends RecordWrite {
  does: string;
}

/** A finding about one job. */
export interface Diagnosis extends Pick<Finding, 'finding' | 'reason' | 'fix' | 'doubt'> {
  /** The one record that the finding is about. */
  table?: Table;
  /** The writes that repair it; empty if nothing is safe to write. */
  writes: DescribedWrite[];
}

/** @param latest the later time of the two clocks, in milliseconds */
export function diagnose(observation: Observation, answer: ApiAnswer | undefined, latest: number): Diagnosis[] {
  return [
    ...diagnoseAttributes(observation),
    ...diagnoseStart(observation, latest),
    ...diagnoseStatus(observation, answer),
  ];
}

function diagnoseAttributes({ own, facts }: Observation): Diagnosis[] {
  return own.flatMap(({ table, item }) => {
    const faults = faultsOf(table, item);
    // The status follows from the job, and is compared below.
    if (textOf(item, 'job_id') !== undefined) faults.delete('status');
    if (faults.size === 0) return [];
    const reason = `the ${table} record is not whole: ${[...faults.values()].join('; ')}`;
    const writes = setAttributes(table, item, [...faults.keys()], facts);
    const fix = fixOf(writes, 'by hand: what belongs there is no longer known');
    return [{ finding: 'AttributeMissing', table, reason, fix, writes }];
  });
}

function diagnoseStart({ own }: Observation, latest: number): Diagnosis[] {
  const isAhead = (item: Item) => Date.parse(textOf(item, 'start_at') ?? '') > latest + CLOCKS_APART_MS;
  const ahead = own.find(({ item }) => isAhead(item));
  if (ahead === undefined) return [];
  const { table, item } = ahead;
  const lies = `start_at, ${String(item['start_at'])}, lies in the future`;
  const reason = `the ${table} record's ${lies}: until then no newer build can take the record`;
  const fix =
    'set the clocks of Temporal and of this machine; then wait until then, or set start_at by hand to when it began';
  return [{ finding: 'ClocksApart', table, reason, fix, writes: [] }];
}

function diagnoseStatus(observation: Observation, answer: ApiAnswer | undefined): Diagnosis[] {
  const { actual, facts, own } = observation;
  // Without a job ID, only the record itself can be checked.
  if (facts['job_id'] === undefined) return [];
  if (actual.state === 'running') {
    const { decided, written } = actual.run.trace;
    // The final record updates have begun or are about to, so the records may differ for a moment.
    if (decided !== undefined) return [];
    // A record that the job has not written yet, for example after a reset to its start, is not compared.
    return compare(observation, { status: 'IN_PROGRESS' }, answer, (table) => written.has(table));
  }
  const areEnded = own.every(({ item }) => isEndStatus(item['status']) && isErrorInfoRight(item));
  if (actual.state === 'refused' && areEnded) return [];
  return compare(observation, desiredEnd(observation, answer), answer, () => true);
}

/** Returns the end that a job's records should have if it no longer runs; `undefined` if nothing tells. */
function desiredEnd(observation: Observation, answer: ApiAnswer | undefined): DesiredState | undefined {
  const { actual, recorded, ends, build_id } = observation;
  if (actual.state === 'ended') return actual.end;
  if (recorded !== undefined) return recorded;
  if (ends.length > 1) return answer?.end;
  const known = actual.state === 'refused' ? actual.end : undefined;
  return known ?? lostEnd(actual, build_id, answer);
}

/**
 * @param desired the state that the records should have; `undefined` if nothing tells
 * @param isDue whether the job should have written a table's record by now
 */
function compare(
  observation: Observation,
  desired: DesiredState | undefined,
  answer: ApiAnswer | undefined,
  isDue: (table: Table) => boolean,
): Diagnosis[] {
  const { actual, facts, found, own, vacant } = observation;
  const isRunning = actual.state === 'running';
  const because = (what: string, more?: string) =>
    [`${what}; the workflow ${actual.how}`, actual.doubt, more].filter((part) => part !== undefined).join('; ');
  const doubt = actual.doubt ?? answer?.doubt;
  const said = saying(observation);
  if (desired === undefined) {
    const fix =
      answer === undefined ? 'ask the build API which is true: --ask-api' : 'by hand: nothing tells which is true';
    return [{ finding: 'EndsDiffer', reason: because(said, answer?.says), fix, writes: [] }];
  }
  const wrong = own.filter(({ table, item }) => isDue(table) && !tells(item, desired));
  const isMissed = (table: Table) =>
    isRunning || (own.length > 0 && (table === 'history' || actual.run?.is_latest !== false));
  const missing = vacant.filter((table) => isDue(table) && isMissed(table));
  const created = missing.map((table) => createRecord(table, facts, found[table], desired));
  if (wrong.length > 0) {
    const writes = [...wrong.map(({ table, item }) => setStatus(table, item, desired)), ...created.flat()];
    const finding = kindOf(observation, isRunning ? 'EndsDiffer' : 'WorkflowGone');
    const fix = `${fixOf(writes)}${afterwards(observation, desired, answer)}`;
    return [{ finding, reason: because(said, answer?.says), fix, doubt, writes }];
  }
  const byHand = isRunning
    ? 'cancel the build and start it again: its input is not known'
    : 'by hand, or start a new build: what belongs there is no longer known';
  return missing.map((table, i) => ({
    finding: isRunning ? 'WorkflowWithoutRecord' : 'RecordMissing',
    table,
    reason: because(`${said}, and the ${table} table has no record of this job`),
    fix: fixOf(created[i], byHand),
    // A record of the job's own proves that our workers ran it.
    doubt: doubt ?? (own.length === 0 ? actual.run?.trace.doubt : undefined),
    writes: created[i] ?? [],
  }));
}

function afterwards(observation: Observation, desired: DesiredState, answer: ApiAnswer | undefined): string {
  const isLost = desired.error_info?.Error === 'ExecutionLost' && desired.build_id !== undefined;
  if (!isLost || !observation.isUndecided) return '';
  if (answer === undefined) return '; --ask-api asks the build API first';
  return answer.isUndecided ? '; then role-build resume polls on' : '';
}

/** Returns the kind of finding for wrong records: a missing status outranks an unknown one, which outranks the rest. */
function kindOf({ own }: Observation, otherwise: 'WorkflowGone' | 'EndsDiffer'): FindingKind {
  const statuses = own.map(({ item }) => item['status']);
  if (statuses.some((status) => typeof status !== 'string')) return 'AttributeMissing';
  if (!statuses.every(isRecordStatus)) return 'StatusUnknown';
  return statuses.every((status) => status === 'IN_PROGRESS') ? otherwise : 'EndsDiffer';
}

/** Whether a record has the desired state. If the reason of a failure is not known, any reason will do. */
function tells(item: Item, { status, error_info }: DesiredState): boolean {
  if (item['status'] !== status) return false;
  if (status !== 'FAILED') return item['error_info'] === undefined;
  return error_info === undefined || errorNameOf(item) === error_info.Error;
}

function fixOf(writes: readonly DescribedWrite[] = [], otherwise = ''): string {
  return writes.length === 0 ? otherwise : writes.map(({ does }) => does).join('; ');
}

function setStatus(table: Table, found: Item, desired: DesiredState): DescribedWrite {
  const { status, build_id, error_info, directory_group } = desired;
  // A build ID in the record is true for every end, but an error belongs to one end only.
  const remove = error_info === undefined && found['error_info'] !== undefined ? ['error_info'] : [];
  const set = { status, build_id, error_info, directory_group, updated_at: new Date().toISOString() };
  const does = `set the ${table} record to ${inWords(desired)}${remove.length === 0 ? '' : ', without error_info'}`;
  return { table, found, set, remove, does };
}

/** @param found an older job's record to replace @returns nothing if too little is known of the job */
function createRecord(table: Table, facts: Facts, found: Item | undefined, desired: DesiredState): DescribedWrite[] {
  const names = Object.keys(REQUIRED[table]);
  const record: Item = { ...Object.fromEntries(names.map((name) => [name, facts[name]])), status: desired.status };
  if (Object.values(record).includes(undefined)) return [];
  const { build_id, error_info, directory_group } = desired;
  const { requested_by, previous_jobs } = facts;
  const more: Item = { build_id, error_info, directory_group };
  if (table === 'history') Object.assign(more, { requested_by, previous_jobs });
  const remove = Object.keys(more).filter((name) => more[name] === undefined && found?.[name] !== undefined);
  const set = { ...record, ...more, updated_at: new Date().toISOString() };
  const does = `${found === undefined ? 'create' : "replace the older job's"} ${table} record: ${inWords(desired)}`;
  return [{ table, found, set, remove, does }];
}

/** @returns nothing if the right value of an attribute is not known */
function setAttributes(table: Table, found: Item, names: readonly string[], facts: Facts): DescribedWrite[] {
  if (names.some((name) => facts[name] === undefined)) return [];
  const set = Object.fromEntries(names.map((name) => [name, facts[name]]));
  const values = Object.entries(set).map(([name, value]) => `${name} to ${JSON.stringify(value)}`);
  return [{ table, found, set, does: `in the ${table} record, set ${values.join(', ')}` }];
}

function inWords({ status, error_info }: DesiredState): string {
  return error_info === undefined ? status : `${status}, ${error_info.Error}`;
}
