/** From lines to requests: fills in what may be left out, and checks all of it. */
import { hash } from 'node:crypto';
import { NIL, v5 as uuidv5 } from 'uuid';
import { workflowIdOf } from '../../../contract.ts';
import { ignoringCase } from '../../../domain/identity.ts';
import type { RoleBuildInput } from '../../../domain/role-build-input.ts';
import { inputFaults, parseInput, type Fault } from '../../../domain/validate-input.ts';
import { isObject, newTraceHeader } from '../../input/read-input.ts';
import type { FailedRequests } from './report.ts';
import type { Source } from './source.ts';

/** A line that can be started. */
export interface Request {
  line: number;
  input: RoleBuildInput;
  workflowId: string;
}

/** A line that can't. */
export interface InvalidLine {
  line: number;
  faults: Fault[];
}

/** What a line gets that does not say so itself. */
export type LineDefaults = Partial<RoleBuildInput> & {
  /** Of `--encrypted-jwt-file`: before the line's own, as in `start`. */
  credential?: string;
  /** Of the environment: after the line's own. */
  fallbackCredential?: string;
};

/** Thousands of builds that start together shall not poll together. */
const POLL_SPREAD_SECONDS = 5;
/** The namespace of correlation IDs that are made of a file and a line. */
const NAMESPACE = '6f1f2d0c-5c0e-4d5f-9a4b-0d6d1f8f7c3e';
/** IAM's names differ by more than case: it would be asked twice for one role. */
const BUT_FOR_CASE = ', but for case';

/**
 * Every line of a batch, in order. A request is checked as a whole, and against the lines before it.
 *
 * @param failed only these
 */
export async function* readRequests(
  source: Pick<Source, 'name' | 'lines'>,
  defaults: LineDefaults,
  failed?: FailedRequests,
): AsyncGenerator<Request | InvalidLine> {
  const seen: Seen = new Map();
  for await (const { number, given, faults } of source.lines()) {
    const one = faults.length > 0 ? { line: number, faults } : requestOf(number, given, source.name, defaults, seen);
    const isChosen = failed === undefined || failed.lines.has(number);
    if (isChosen || (isRequest(one) && failed.jobs.has(one.input.correlation_id))) yield one;
  }
}

function requestOf(
  line: number,
  given: unknown,
  file: string,
  defaults: LineDefaults,
  seen: Seen,
): Request | InvalidLine {
  if (!isObject(given)) return { line, faults: inputFaults(given) };
  const parsed = parseInput(filledIn(given, defaults));
  if ('faults' in parsed) return { line, faults: parsed.faults };
  const { input } = parsed;
  // Not before it is known to be no deeper than JSON can be written.
  if (given['correlation_id'] === undefined) input.correlation_id = correlationIdOf(file, given);
  const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
  const faults = repeatFaults(seen, line, input, workflowId);
  return faults.length > 0 ? { line, faults } : { line, input, workflowId };
}

function filledIn(given: Record<string, unknown>, defaults: LineDefaults): Record<string, unknown> {
  const { credential, fallbackCredential, ...others } = defaults;
  const made = { correlation_id: NIL, trace_header: newTraceHeader(), poll_spread_seconds: POLL_SPREAD_SECONDS };
  const filled: Record<string, unknown> = { encrypted_jwt: fallbackCredential, ...made, ...others, ...given };
  if (credential !== undefined) filled['encrypted_jwt'] = credential;
  if (filled['encrypted_jwt'] === undefined) delete filled['encrypted_jwt'];
  return filled;
}

/**
 * The same for the same line of the same file, wherever the file lies and the line stands in it: a batch that was cut short, or
 * got more lines, starts only what is missing. A fresh credential makes no other request.
 */
function correlationIdOf(file: string, given: Record<string, unknown>): string {
  const line = Object.fromEntries(Object.entries(given).filter(([key]) => key !== 'encrypted_jwt'));
  return uuidv5(JSON.stringify([file, line]), NAMESPACE);
}

/**
 * Temporal's request ID of a start, the same from every program. The start that comes after the same run is the same start, so that
 * two batches at a time, or one that was killed and its successor, make it once.
 *
 * @param after the last run under the request's workflow ID, which has closed
 */
export function startIdOf(correlationId: string, after: string | undefined): string {
  return uuidv5(JSON.stringify(['start', correlationId, after ?? null]), NAMESPACE);
}

/** The first line of each name, by a hash of the name; `name` tells how it was written there. */
type Seen = Map<string, { line: number; name: string }>;

/** What a line has in common with one before it and must not. */
function repeatFaults(seen: Seen, line: number, input: RoleBuildInput, workflowId: string): Fault[] {
  const { account_id: account, custom_role_name: role } = input.build_body;
  const sameResource = firstOf(seen, line, `resource:${ignoringCase(workflowId)}`, workflowId);
  const sameRole = firstOf(seen, line, `role:${account}:${ignoringCase(role)}`, role);
  const sameId = firstOf(seen, line, `id:${input.correlation_id}`, input.correlation_id);
  const faults: Fault[] = [];
  if (sameResource !== undefined) {
    const what = `asks for the same account and resource${sameResource.isExact ? '' : BUT_FOR_CASE}`;
    faults.push({ path: 'ddb_composite_sort_key', message: `line ${sameResource.line} ${what}` });
  } else if (sameRole?.isExact === false) {
    const message = `line ${sameRole.line} asks for the same role in this account${BUT_FOR_CASE}`;
    faults.push({ path: 'build_body.custom_role_name', message });
  }
  if (sameId !== undefined) {
    faults.push({ path: 'correlation_id', message: `line ${sameId.line} has the same correlation_id` });
  }
  return faults;
}

/** @returns the line before this one that has the key, and whether the name is the same to the letter */
function firstOf(seen: Seen, line: number, key: string, name: string): { line: number; isExact: boolean } | undefined {
  // Of all that is kept while lines go by, only this grows with their number.
  const digest = (text: string) => hash('sha1', text, 'base64').slice(0, 16);
  const earlier = seen.get(digest(key));
  if (earlier !== undefined) return { line: earlier.line, isExact: earlier.name === digest(name) };
  seen.set(digest(key), { line, name: digest(name) });
  return undefined;
}

export function isRequest(one: Request | InvalidLine): one is Request {
  return 'input' in one;
}
