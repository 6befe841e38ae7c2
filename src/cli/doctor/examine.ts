/** A close look at one job that seemed wrong in passing, so that a build in progress is never taken for a lost one. */
import { isDeepStrictEqual } from 'node:util';
import { workflowIdOf } from '../../domain/identity.ts';
import { itemOf, type Table } from '../../records/items.ts';
import { writeAsFound } from '../../records/mend.ts';
import type { Services } from '../services.ts';
import type { AskApi } from './ask-api.ts';
import { textOf } from './attributes.ts';
import { buildIdOf, caseOf, isUndecided, type Case, type Found } from './case.ts';
import { judge, type Judged } from './judge.ts';
import type { Finding, Mended, Subject } from './kinds.ts';
import type { Asked } from './lost.ts';
import { Namespace } from './namespace.ts';
import { truthOf, type Truth } from './truth.ts';

/** A job that seemed wrong in passing, as far as it could be read. */
export interface Candidate {
  /** `undefined` where a record does not say it; then `table` says which record that is. */
  job_id: string | undefined;
  table?: Table;
  account_id?: string | undefined;
  resource?: string | undefined;
  correlation_id?: string | undefined;
}

/** What has changed so often between two looks is being worked on. */
const LOOKS = 5;

export class Examiner {
  readonly #services: Services;
  readonly #askApi: AskApi | undefined;
  readonly #now: () => number;
  readonly #namespace: Namespace;

  /** @param now Temporal's clock, in milliseconds */
  constructor(services: Services, askApi: AskApi | undefined, now: () => number) {
    this.#services = services;
    this.#askApi = askApi;
    this.#now = now;
    this.#namespace = new Namespace(services, now);
  }

  /** What is wrong with a job, each with what mends it; nothing where all is well after all. */
  async examine(candidate: Candidate): Promise<Finding[]> {
    // Asked once: to ask again before mending could only tell something else.
    const answers = new Map<string, Asked>();
    const { judged, c } = await this.#look(candidate, answers);
    return judged.map((one) => ({
      finding: one.finding,
      about: aboutOf(candidate, one),
      subject: subjectOf(this.#services, candidate, c, one),
      reason: one.reason,
      fix: one.fix,
      ...(one.doubt === undefined ? {} : { doubt: one.doubt }),
      ...(one.writes === undefined ? {} : { mend: () => this.#mend(candidate, one, answers) }),
    }));
  }

  /** Reads the records, then Temporal, then the records again, until nothing has moved meanwhile. */
  async #look(candidate: Candidate, answers: Map<string, Asked>): Promise<{ judged: Judged[]; c: Case }> {
    const key = { ...candidate };
    let c: Case = caseOf(undefined, { status: undefined, history: undefined }, UNKNOWN);
    for (let looks = 1; looks <= LOOKS; looks += 1) {
      const found = await this.#read(key);
      const { job_id } = candidate;
      const truth =
        job_id === undefined
          ? UNKNOWN
          : await truthOf(this.#services, { ...key, job_id, start_at: startOf(job_id, found) }, this.#namespace);
      c = caseOf(job_id, found, truth);
      if (completeKey(key, c)) continue;
      const asked = await this.#ask(c, answers);
      if (isDeepStrictEqual(await this.#read(key), found)) return { judged: judge(c, asked, this.#now()), c };
    }
    return { judged: [], c };
  }

  async #read({ table, account_id, resource, correlation_id }: Candidate): Promise<Found> {
    const { tables, dynamoDb } = this.#services;
    const [status, history] = await Promise.all([
      table === 'history' ? undefined : dynamoDb(() => itemOf(tables, 'status', { account_id, resource })),
      table === 'status' ? undefined : dynamoDb(() => itemOf(tables, 'history', { request_id: correlation_id })),
    ]);
    return { status, history };
  }

  async #ask(c: Case, answers: Map<string, Asked>): Promise<Asked | undefined> {
    const buildId = buildIdOf(c);
    const correlationId = c.facts['correlation_id'];
    if (this.#askApi === undefined || buildId === undefined || typeof correlationId !== 'string' || !isUndecided(c)) {
      return undefined;
    }
    const asked = answers.get(buildId) ?? (await this.#askApi(buildId, correlationId));
    answers.set(buildId, asked);
    return asked;
  }

  /** Looks again, since the question may have waited for hours, then writes where all is still as it was shown. */
  async #mend(candidate: Candidate, shown: Judged, answers: Map<string, Asked>): Promise<Mended> {
    const isShown = (one: Judged) => one.finding === shown.finding && one.table === shown.table;
    const again = (await this.#look(candidate, answers)).judged.find(isShown);
    if (again?.writes === undefined || again.fix !== shown.fix) {
      return { result: 'changed meanwhile; left alone', left: again !== undefined };
    }
    const { dynamoDb, tables } = this.#services;
    for (const write of again.writes) {
      let failure: unknown;
      const isWritten = await dynamoDb(() => writeAsFound(tables, write)).catch((err: unknown) => {
        failure = err;
        return false;
      });
      if (isWritten) continue;
      const isLeft = (await this.#look(candidate, answers)).judged.some(isShown);
      // A write whose answer was lost may have been made all the same.
      if (failure !== undefined && !isLeft) return { result: 'mended', left: false };
      if (failure !== undefined) throw failure;
      return { result: 'changed meanwhile; left alone', left: isLeft };
    }
    // A build that ended just before its record was made would leave that record in progress for ever.
    if (shown.finding === 'WorkflowWithoutRecord') await this.#settle(candidate, answers);
    return { result: 'mended', left: false };
  }

  async #settle(candidate: Candidate, answers: Map<string, Asked>): Promise<void> {
    const { judged } = await this.#look(candidate, answers);
    const ended = judged.filter(({ finding }) => finding !== 'WorkflowWithoutRecord');
    for (const write of ended.flatMap(({ writes }) => writes ?? [])) {
      await this.#services.dynamoDb(() => writeAsFound(this.#services.tables, write));
    }
  }
}

/** For a record that does not say whose it is. */
const UNKNOWN: Truth = { state: 'gone', how: 'is not known' };

/** When a job began, as a record of it says. */
function startOf(jobId: string, found: Found): string | undefined {
  const [record] = Object.values(found).filter((item) => textOf(item, 'job_id') === jobId);
  return textOf(record, 'start_at');
}

/** Puts right what a record left out, or says otherwise than Temporal. @returns whether there was any */
function completeKey(key: Candidate, { facts }: Case): boolean {
  let filled = false;
  for (const name of ['account_id', 'resource', 'correlation_id'] as const) {
    const known = facts[name];
    if (typeof known !== 'string' || key[name] === known) continue;
    key[name] = known;
    filled = true;
  }
  return filled;
}

function aboutOf(
  { job_id, account_id, resource, correlation_id, ...candidate }: Candidate,
  { finding, table }: Judged,
): string {
  // One resource lacks one status record, however many of its jobs the history knows.
  if (finding === 'RecordMissing' && table === 'status') return JSON.stringify([account_id, resource]);
  return JSON.stringify([job_id ?? [candidate.table, account_id, resource, correlation_id], table]);
}

function subjectOf(services: Services, candidate: Candidate, c: Case, { table }: Judged): Subject {
  const text = (name: 'account_id' | 'resource' | 'correlation_id') => candidate[name] ?? textOf(c.facts, name);
  const [accountId, resource] = [text('account_id'), text('resource')];
  const isKnown = accountId !== undefined && resource !== undefined;
  const { statusTable, historyTable } = services.tables;
  const subject = {
    table: table === undefined ? undefined : table === 'status' ? statusTable : historyTable,
    account_id: accountId,
    resource,
    correlation_id: text('correlation_id'),
    job_id: candidate.job_id,
    workflow_id: c.truth.workflow_id ?? (isKnown ? workflowIdOf(accountId, resource) : undefined),
    build_id: buildIdOf(c),
    status: c.places.status === 'own' ? c.found.status?.['status'] : undefined,
    history_status: c.places.history === 'own' ? c.found.history?.['status'] : undefined,
  };
  return Object.fromEntries(Object.entries(subject).filter(([, value]) => value !== undefined));
}
