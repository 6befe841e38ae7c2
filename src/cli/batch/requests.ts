/** From lines to requests: fills in what may be left out, and checks all of it. */
import { hash } from 'node:crypto';
import { NIL, v5 as uuidv5 } from 'uuid';
import { workflowIdOf } from '../../contract.ts';
import { ignoringCase } from '../../domain/identity.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { INPUT_KEYS, inputFaults, isRoleBuildInput, type Fault } from '../../domain/validate-input.ts';
import { newTraceHeader } from '../read-input.ts';
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
export interface LineDefaults extends Partial<
  Pick<
    RoleBuildInput,
    'url' | 'poll_interval_seconds' | 'deadline_seconds' | 'requested_by' | 'take_over' | 'poll_spread_seconds'
  >
> {
  /** Of `--encrypted-jwt-file`: before the line's own, as in `start`. */
  credential?: string;
  /** Of the environment: after the line's own. */
  fallbackCredential?: string;
}

/** Thousands of builds that start together shall not poll together. */
const POLL_SPREAD_SECONDS = 5;
/** The namespace of correlation IDs that are made of a file and a line. */
const NAMESPACE = '6f1f2d0c-5c0e-4d5f-9a4b-0d6d1f8f7c3e';

/** IAM's names differ by more than case: it would be asked twice for one role. */
const BUT_FOR_CASE = ', but for case';

/** Every line of a batch, in order. A request is checked as a whole, and against the lines before it. */
export async function* readRequests(
  source: Pick<Source, 'name' | 'lines'>,
  defaults: LineDefaults,
): AsyncGenerator<Request | InvalidLine> {
  const seen: Seen = new Map();
  for await (const line of source.lines()) {
    const { number } = line;
    if (line.faults.length > 0 || !isObject(line.given)) {
      yield { line: number, faults: line.faults.length > 0 ? line.faults : inputFaults(line.given) };
      continue;
    }
    const input: unknown = filledIn(line.given, defaults);
    if (!isRoleBuildInput(input)) {
      yield { line: number, faults: inputFaults(input) };
      continue;
    }
    // Not before it is known to be no deeper than JSON can be written.
    if (line.given['correlation_id'] === undefined) input.correlation_id = correlationIdOf(source.name, line.given);
    const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
    const faults = takenFaults(seen, number, input, workflowId);
    yield faults.length > 0 ? { line: number, faults } : { line: number, input, workflowId };
  }
}

/** The keys that mean nothing, which are passed on unread. */
export function unknownKeys(input: RoleBuildInput): string[] {
  return Object.keys(input).filter((key) => !INPUT_KEYS.includes(key));
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
 * Temporal's request ID of a start, the same whoever makes it. The start that comes after the same run is the same start, so that
 * two batches at a time, or one that was killed and its successor, make it once.
 *
 * @param after the last run under the request's workflow ID, which has closed
 */
export function startIdOf(correlationId: string, after: string | undefined): string {
  return uuidv5(JSON.stringify(['start', correlationId, after ?? null]), NAMESPACE);
}

/** The first line of each name, by a hash of the name; `name` tells how it was written there. */
type Seen = Map<string, { line: number; name: string }>;

function takenFaults(seen: Seen, line: number, input: RoleBuildInput, workflowId: string): Fault[] {
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
  // Of what is kept while lines go by, only this grows with their number.
  const digest = (text: string) => hash('sha1', text, 'base64').slice(0, 16);
  const earlier = seen.get(digest(key));
  if (earlier !== undefined) return { line: earlier.line, isExact: earlier.name === digest(name) };
  seen.set(digest(key), { line, name: digest(name) });
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isRequest(one: Request | InvalidLine): one is Request {
  return 'input' in one;
}
