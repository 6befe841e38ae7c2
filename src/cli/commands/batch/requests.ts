/** Makes requests of lines: fills in what may be left out, and checks everything. */
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

/** A line that can't be started. */
export interface InvalidLine {
  line: number;
  faults: Fault[];
}

/** Values for keys that a line leaves out. */
export type LineDefaults = Partial<RoleBuildInput> & {
  /** From `--encrypted-jwt-file`; outranks the line's own, as in `start`. */
  credential?: string;
  /** From the environment; the line's own outranks it. */
  fallbackCredential?: string;
};

/** Keeps thousands of builds that start together from polling together. */
const POLL_SPREAD_SECONDS = 5;
/** The UUID namespace of correlation IDs that are derived from a file name and a line. */
const NAMESPACE = '6f1f2d0c-5c0e-4d5f-9a4b-0d6d1f8f7c3e';
/** IAM ignores case in role names, so two such lines would ask for one role twice. */
const BUT_FOR_CASE = ', but for case';

/**
 * Reads every line of a batch, in order. Each request is checked as a whole, and against the lines before it.
 *
 * @param failed limits the batch to these requests
 */
export async function* readRequests(
  source: Pick<Source, 'name' | 'lines'>,
  defaults: LineDefaults,
  failed?: FailedRequests,
): AsyncGenerator<Request | InvalidLine> {
  const seen: Seen = new Map();
  for await (const { number, given, faults } of source.lines()) {
    const one = faults.length > 0 ? { line: number, faults } : requestOf(number, given, source.name, defaults, seen);
    if (failed === undefined || isChosen(one, failed)) yield one;
  }
}

/** A line that was invalid may have moved, and has another correlation ID now, so any that the report lacks may be it. */
function isChosen(one: Request | InvalidLine, { jobs, lines, known }: FailedRequests): boolean {
  if (!isRequest(one)) return lines.size > 0;
  const id = one.input.correlation_id;
  return jobs.has(id) || (lines.size > 0 && !known.has(id));
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
  // Derived only after the checks: before them, the line may be nested too deep for JSON.stringify.
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
 * Derives a correlation ID that is the same for the same line in a file of the same name, wherever the file and the
 * line are. So a repeated batch starts only what is missing, even if lines were added. The credential may change.
 */
function correlationIdOf(file: string, given: Record<string, unknown>): string {
  const line = Object.fromEntries(Object.entries(given).filter(([key]) => key !== 'encrypted_jwt'));
  return uuidv5(JSON.stringify([file, line]), NAMESPACE);
}

/**
 * Derives Temporal's request ID of a start, the same in every program. Two starts after the same run are then one
 * start, so two batches at once, or a batch that was killed and its successor, start a build only once.
 *
 * @param after the last run under the request's workflow ID, which has closed
 */
export function startIdOf(correlationId: string, after: string | undefined): string {
  return uuidv5(JSON.stringify(['start', correlationId, after ?? null]), NAMESPACE);
}

/** The first line for each key, by the key's hash; `name` is a hash of the name as written there. */
type Seen = Map<string, { line: number; name: string }>;

/** Finds what a line shares with an earlier line and must not. */
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

/** @returns the earlier line with the same key, if any, and whether its name is exactly the same */
function firstOf(seen: Seen, line: number, key: string, name: string): { line: number; isExact: boolean } | undefined {
  // Kept short, because only this map grows with the number of lines.
  const digest = (text: string) => hash('sha1', text, 'base64').slice(0, 16);
  const earlier = seen.get(digest(key));
  if (earlier !== undefined) return { line: earlier.line, isExact: earlier.name === digest(name) };
  seen.set(digest(key), { line, name: digest(name) });
  return undefined;
}

export function isRequest(one: Request | InvalidLine): one is Request {
  return 'input' in one;
}
