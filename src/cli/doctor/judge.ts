/** Holds a job's two records against what really became of it: what is wrong, and the writes that mend it. */
import { isEndStatus, RECORD_STATUSES } from '../../domain/record-status.ts';
import type { Item, Table } from '../../records/items.ts';
import type { RecordWrite } from '../../records/mend.ts';
import { errorNameOf, faultsOf, isErrorInfoRight, textOf } from './attributes.ts';
import { buildIdOf, endsOf, inWords, isUndecided, isVacant, own, recordedEnd, TABLES, type Case } from './case.ts';
import { CLOCKS_APART_MS, type FindingKind } from './kinds.ts';
import { lostEnd, type Asked } from './lost.ts';
import type { End } from './trace.ts';
import { createRecord, setAttributes, setStatus, type DescribedWrite, type Right } from './writes.ts';

export interface Judged {
  finding: FindingKind;
  /** The one record that it is about. */
  table?: Table;
  reason: string;
  fix: string;
  /** Why it may not be so after all. */
  doubt?: string;
  /** What mends it; absent where nothing is safe to write. */
  writes?: RecordWrite[];
}

/** @param now Temporal's clock, in milliseconds */
export function judge(c: Case, asked: Asked | undefined, now: number): Judged[] {
  const judged = [...TABLES.flatMap((table) => judgeAttributes(c, table)), ...judgeStart(c, now)];
  // Without its job, nothing but the record itself can be looked at.
  if (c.facts['job_id'] === undefined) return judged;
  const lost = () => lostEnd(c.truth, buildIdOf(c), asked);
  const isRight = own(c).every(({ item }) => isEndStatus(item['status']) && isErrorInfoRight(item));
  if (c.truth.state === 'refused' && isRight) return judged;
  switch (c.truth.state) {
    case 'running':
      // Between the last writes the records differ, and are right soon.
      return c.truth.trace?.decided === undefined ? [...judged, ...judgeRunning(c)] : judged;
    case 'ended':
      return [...judged, ...judgeEnd(c, c.truth.end, asked)];
    case 'refused':
    case 'lost':
    case 'gone':
      return [
        ...judged,
        ...judgeEnd(c, recordedEnd(c) ?? (endsOf(c).length > 1 ? asked?.end : (c.truth.end ?? lost())), asked),
      ];
  }
}

function judgeAttributes(c: Case, table: Table): Judged[] {
  const item = c.found[table];
  if (item === undefined || c.places[table] !== 'own') return [];
  const faults = faultsOf(table, item);
  // What it must be follows from the job, below.
  if (textOf(item, 'job_id') !== undefined) faults.delete('status');
  if (faults.size === 0) return [];
  const write = setAttributes(table, item, [...faults.keys()], c.facts);
  const reason = `the ${table} record is not whole: ${[...faults.values()].join('; ')}`;
  const byHand = 'by hand: what belongs there is no longer known';
  return [{ finding: 'AttributeMissing', table, reason, ...fixOf(write === undefined ? [] : [write], byHand) }];
}

function judgeStart(c: Case, now: number): Judged[] {
  const ahead = own(c).find(({ item }) => Date.parse(textOf(item, 'start_at') ?? '') > now + CLOCKS_APART_MS);
  if (ahead === undefined) return [];
  const { table, item } = ahead;
  const start = String(item['start_at']);
  return [
    {
      finding: 'ClocksApart',
      table,
      reason: `the ${table} record's start_at, ${start}, lies in the future: until then no newer build can take the record`,
      fix: 'set the clocks of Temporal and of this machine; then wait until then, or set start_at by hand to when it began',
    },
  ];
}

function judgeRunning(c: Case): Judged[] {
  const right: Right = { status: 'IN_PROGRESS' };
  // Of a run that has not written its records yet, such as one that was reset to its start, nothing follows for them.
  const isWritten = (table: Table) => c.truth.trace?.puts[table] === 'written';
  const wrong = own(c).filter(({ table, item }) => isWritten(table) && !tells(item, right));
  const missing = TABLES.filter((table) => isWritten(table) && isVacant(c.places[table]));
  const judged: Judged[] = [];
  if (wrong.length > 0) {
    const writes = wrong.map(({ table, item }) => setStatus(table, item, right));
    judged.push({
      finding: kindOf(c, 'EndsDiffer'),
      reason: `${saying(c)}, but the workflow is running`,
      ...fixOf(writes),
    });
  }
  for (const table of missing) {
    const write = createRecord(table, c.facts, c.found[table], right);
    judged.push({
      finding: 'WorkflowWithoutRecord',
      table,
      reason: `the workflow is running and has written its ${table} record, which is not there`,
      ...fixOf(write === undefined ? [] : [write], 'cancel the build and start it again: its input is not known'),
    });
  }
  return judged;
}

/** Of a job that no longer runs. */
function judgeEnd(c: Case, end: End | undefined, asked: Asked | undefined): Judged[] {
  const { how, is_latest, doubt } = c.truth;
  const reason = [`${saying(c)}; the workflow ${how}`, doubt, asked?.says]
    .filter((part) => part !== undefined)
    .join('; ');
  if (end === undefined) {
    const fix =
      asked === undefined ? 'ask the build API which is true: --ask-api' : 'by hand: nothing tells which is true';
    return [{ finding: 'EndsDiffer', reason, fix }];
  }
  const doubted = doubt === undefined ? {} : { doubt };
  const wrong = own(c).filter(({ item }) => !tells(item, end));
  const missing = TABLES.filter((table) => {
    const twin = table === 'status' ? 'history' : 'status';
    // An older job's status record is not missing where a newer job's should stand.
    return isVacant(c.places[table]) && c.places[twin] === 'own' && (table === 'history' || is_latest !== false);
  });
  const created = missing.map((table) => createRecord(table, c.facts, c.found[table], end));
  if (wrong.length > 0) {
    const writes = [
      ...wrong.map(({ table, item }) => setStatus(table, item, end)),
      ...created.filter((one) => one !== undefined),
    ];
    const { fix, ...rest } = fixOf(writes);
    return [
      { finding: kindOf(c, 'WorkflowGone'), reason, fix: `${fix}${afterwards(c, end, asked)}`, ...doubted, ...rest },
    ];
  }
  return missing.map((table, i) => ({
    finding: 'RecordMissing',
    table,
    reason: [`${saying(c)}, and the ${table} table has no record of this job; the workflow ${how}`, doubt]
      .filter((part) => part !== undefined)
      .join('; '),
    ...doubted,
    ...fixOf(
      created[i] === undefined ? [] : [created[i]],
      'by hand, or start a new build: what belongs there is no longer known',
    ),
  }));
}

function afterwards(c: Case, end: End, asked: Asked | undefined): string {
  if (end.error_info?.Error !== 'ExecutionLost' || end.build_id === undefined || !isUndecided(c)) return '';
  return asked === undefined
    ? '; --ask-api asks the build API first'
    : asked.undecided
      ? '; then role-build resume polls on'
      : '';
}

/** What is to be said of records that are wrong: a status that is none outranks all else. */
function kindOf(c: Case, otherwise: 'WorkflowGone' | 'EndsDiffer'): FindingKind {
  const statuses = own(c).map(({ item }) => item['status']);
  if (statuses.some((status) => typeof status !== 'string')) return 'AttributeMissing';
  if (statuses.some((status) => !Object.hasOwn(RECORD_STATUSES, status as string))) return 'StatusUnknown';
  return statuses.every((status) => status === 'IN_PROGRESS') ? otherwise : 'EndsDiffer';
}

/** What the job's records say, in words. */
function saying(c: Case): string {
  const said = own(c).map(({ table, item }) => ({ table, status: inWords(item) }));
  const [first, second] = said;
  if (first !== undefined && first.status === second?.status) return `both records say ${first.status}`;
  return said.map(({ table, status }) => `the ${table} record says ${status}`).join(', ') || 'no record says anything';
}

/** Where it is not known why a build failed, any reason is as good. */
function tells(item: Item, { status, error_info }: Right): boolean {
  if (item['status'] !== status) return false;
  if (status !== 'FAILED') return item['error_info'] === undefined;
  return error_info === undefined || errorNameOf(item) === error_info.Error;
}

function fixOf(writes: readonly DescribedWrite[], otherwise = ''): Pick<Judged, 'fix' | 'writes'> {
  if (writes.length === 0) return { fix: otherwise };
  return { fix: writes.map(({ does }) => does).join('; '), writes: writes.map(({ write }) => write) };
}
