/** Examines one suspicious job closely, so that a build in progress is never taken for a lost one. */
import { isDeepStrictEqual } from 'node:util';
import { defined } from '../../../domain/defined.ts';
import { workflowIdOf } from '../../../domain/identity.ts';
import { howToRead } from '../../../encryption/unreadable.ts';
import { itemOf, tableName, type Table } from '../../../records/items.ts';
import { writeAsFound } from '../../../records/repair.ts';
import { CliError } from '../../errors/cli-error.ts';
import type { Services } from '../../services.ts';
import { actualStateOf, ClosedUnreadable, type ActualState } from './actual-state.ts';
import type { ApiAnswer, AskApi } from './ask-api.ts';
import type { Clock } from './clock.ts';
import { diagnose, type Diagnosis } from './diagnose.ts';
import { keyIn, textOf, type Named } from './facts.ts';
import { REPAIRED, type Finding, type Repaired, type Subject } from './findings.ts';
import { doubtsAbout } from './namespace.ts';
import { observationOf, type Found, type Observation } from './observation.ts';

/** A job that a pass found suspicious. */
export interface Candidate extends Named {
  /** `undefined` if the record does not say. */
  job_id: string | undefined;
  /** The table with the suspicious record; absent if Temporal names the job. Only it is read if there is no job ID. */
  from?: Table;
}

/** The state for a record that names no job. */
const UNKNOWN: ActualState = { state: 'gone', how: 'is not known' };
const NAMES = ['account_id', 'resource', 'correlation_id'] as const;
/** How often a job is looked at. If it changes each time, somebody is working on it. */
const LOOKS = 5;

export function examinerOf(services: Services, askApi: AskApi | undefined, clock: Clock) {
  const { dynamoDb, tables } = services;
  const doubtOf = doubtsAbout(services, clock);
  /** Keeps one answer per build, because a later answer could differ from what the user was shown. */
  const answers = new Map<string, ApiAnswer>();

  /** Reads the records, then Temporal, then the records again, until they stay the same. */
  async function look(candidate: Candidate): Promise<{ diagnoses: Diagnosis[]; observation: Observation }> {
    const { job_id } = candidate;
    const names = { ...candidate };
    let observation = observationOf(undefined, { status: undefined, history: undefined }, UNKNOWN);
    for (let looks = 1; looks <= LOOKS; looks += 1) {
      const found = await read(names);
      const record = Object.values(found).find((item) => textOf(item, 'job_id') === job_id);
      const key = { ...names, start_at: textOf(record, 'start_at') };
      let actual: ActualState = UNKNOWN;
      try {
        if (job_id !== undefined) actual = await actualStateOf(services, { ...key, job_id }, doubtOf);
      } catch (err) {
        // One workflow that can't be read doesn't stop the command. A service that is unavailable does.
        if (err instanceof CliError || !(err instanceof Error)) throw err;
        return { diagnoses: [unreadable(err)], observation };
      }
      observation = observationOf(job_id, found, actual);
      if (correctNames(names, observation)) continue;
      const answer = await ask(observation);
      if (isDeepStrictEqual(await read(names), found)) {
        return { diagnoses: diagnose(observation, answer, clock.latest()), observation };
      }
    }
    return { diagnoses: [], observation };
  }

  async function read(candidate: Candidate): Promise<Found> {
    const recordIn = (table: Table) =>
      candidate.job_id !== undefined || candidate.from === table
        ? dynamoDb(() => itemOf(tables, table, keyIn(table, candidate)))
        : Promise.resolve(undefined);
    const [status, history] = await Promise.all([recordIn('status'), recordIn('history')]);
    return { status, history };
  }

  async function ask(observation: Observation): Promise<ApiAnswer | undefined> {
    const { build_id, facts, isUndecided } = observation;
    const correlationId = textOf(facts, 'correlation_id');
    if (!isUndecided || build_id === undefined || correlationId === undefined) return undefined;
    const answer = answers.get(build_id) ?? (await askApi?.(build_id, correlationId));
    if (answer !== undefined) answers.set(build_id, answer);
    return answer;
  }

  /** Looks again, because the user may have taken hours to answer, then writes if everything is still as shown. */
  async function repair(candidate: Candidate, shown: Diagnosis): Promise<Repaired> {
    const lookAgain = async () =>
      (await look(candidate)).diagnoses.find(
        ({ finding, table }) => finding === shown.finding && table === shown.table,
      );
    const changed = (left: boolean): Repaired => ({ result: 'changed meanwhile; left alone', left });
    const again = await lookAgain();
    if (again?.fix !== shown.fix || again.writes.length === 0) return changed(again !== undefined);
    for (const write of again.writes) {
      try {
        if (!(await dynamoDb(() => writeAsFound(tables, write)))) return changed((await lookAgain()) !== undefined);
      } catch (err) {
        // A write whose answer was lost may have succeeded.
        if ((await lookAgain()) === undefined) return REPAIRED;
        throw err;
      }
    }
    if (again.writes.some(({ set }) => set['status'] === 'IN_PROGRESS')) await settle(candidate);
    return REPAIRED;
  }

  /** Corrects a record that was set to IN_PROGRESS just after its build had ended: no build would correct it. */
  async function settle(candidate: Candidate): Promise<void> {
    const { diagnoses } = await look(candidate);
    const ended = diagnoses.filter(({ finding }) => finding === 'WorkflowGone' || finding === 'EndsDiffer');
    for (const write of ended.flatMap(({ writes }) => writes)) {
      await dynamoDb(() => writeAsFound(tables, write));
    }
  }

  function subjectOf(candidate: Candidate, observation: Observation, { table }: Diagnosis): Subject {
    const { actual, facts, own, build_id } = observation;
    const names = Object.fromEntries(NAMES.map((name) => [name, candidate[name] ?? textOf(facts, name)])) as Named;
    const { account_id, resource } = names;
    const isKnown = account_id !== undefined && resource !== undefined;
    return defined({
      table: table && tableName(tables, table),
      ...names,
      job_id: candidate.job_id,
      workflow_id: actual.run?.workflow_id ?? (isKnown ? workflowIdOf(account_id, resource) : undefined),
      build_id,
      status: own.find((one) => one.table === 'status')?.item['status'],
      history_status: own.find((one) => one.table === 'history')?.item['status'],
    });
  }

  /** Returns what is wrong with a job, each finding with its repair; nothing if all is well after all. */
  return async (candidate: Candidate): Promise<Finding[]> => {
    const { diagnoses, observation } = await look(candidate);
    return [...misplaced(candidate, observation), ...diagnoses].map((one) => ({
      ...one,
      about: aboutOf(candidate, one),
      subject: subjectOf(candidate, observation, one),
      repair: one.writes.length === 0 ? undefined : () => repair(candidate, one),
    }));
  };
}

/** Finds a record under another key than the job's own. No build writes to it any more. */
function misplaced({ from, job_id, ...names }: Candidate, { facts }: Observation): Diagnosis[] {
  if (from === undefined || job_id === undefined) return [];
  const key = from === 'status' ? (['account_id', 'resource'] as const) : (['correlation_id'] as const);
  if (key.every((name) => typeof facts[name] !== 'string' || facts[name] === names[name])) return [];
  const [own, here] = [facts, names].map((one) => key.map((name) => JSON.stringify(one[name])).join(' '));
  const reason = `the ${from} record under ${here} is that of job ${job_id}, which is a build of ${own}`;
  const fix = 'by hand: delete the item if it is a copy; else set what is wrong in it or in the other record';
  return [{ finding: 'RecordMisplaced', table: from, reason, fix, writes: [] }];
}

function unreadable(err: Error): Diagnosis {
  const reason = `its workflow can't be read: ${err.message}`;
  const hasClosed = err instanceof ClosedUnreadable;
  const otherwise = hasClosed
    ? "else leave it: it has closed, and goes with Temporal's retention"
    : 'terminate the workflow if it is no build of yours';
  const fix = [howToRead(hasClosed ? err.cause : err), otherwise].filter((one) => one !== undefined).join('; ');
  return { finding: 'WorkflowUnreadable', reason, fix, writes: [] };
}

/** Adds names that a record lacks, and replaces names that contradict Temporal. @returns whether any name changed */
function correctNames(names: Named, { facts }: Observation): boolean {
  const corrected = NAMES.filter((name) => typeof facts[name] === 'string' && facts[name] !== names[name]);
  for (const name of corrected) names[name] = textOf(facts, name);
  return corrected.length > 0;
}

function aboutOf({ job_id, from, account_id, resource, correlation_id }: Candidate, one: Diagnosis): string {
  // A resource lacks only one status record, even if the history has several of its jobs.
  if (one.finding === 'RecordMissing' && one.table === 'status') return JSON.stringify([account_id, resource]);
  if (one.finding === 'RecordMisplaced') return JSON.stringify([account_id, resource, correlation_id, one.table]);
  return JSON.stringify([job_id ?? [from, account_id, resource, correlation_id], one.table]);
}
