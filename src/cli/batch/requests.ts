/** From lines to requests: fills in what may be left out, and checks all of it. */
import { createHash } from 'node:crypto';
import { NIL, v5 as uuidv5 } from 'uuid';
import { workflowIdOf } from '../../contract.ts';
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

/** Every line of a batch, in order. A request is checked as a whole, and against the lines before it. */
export async function* readRequests(source: Source, defaults: LineDefaults): AsyncGenerator<Request | InvalidLine> {
  const seen = new Map<string, number>();
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
    const faults = [
      ...takenFault(seen, number, 'ddb_composite_sort_key', workflowId, 'asks for the same account and resource'),
      ...takenFault(seen, number, 'correlation_id', input.correlation_id, 'has the same correlation_id'),
    ];
    yield faults.length > 0 ? { line: number, faults } : { line: number, input, workflowId };
  }
}

/** The keys that mean nothing, which are passed on unread. */
export function unknownKeys(input: RoleBuildInput): string[] {
  return Object.keys(input).filter((key) => !INPUT_KEYS.includes(key));
}

function filledIn(given: Record<string, unknown>, defaults: LineDefaults): Record<string, unknown> {
  const { credential, fallbackCredential, ...others } = defaults;
  const input: Record<string, unknown> = { poll_spread_seconds: POLL_SPREAD_SECONDS };
  for (const [key, value] of Object.entries({ ...others, ...given })) if (value !== undefined) input[key] = value;
  if (credential !== undefined) input['encrypted_jwt'] = credential;
  else if (input['encrypted_jwt'] === undefined) input['encrypted_jwt'] = fallbackCredential;
  if (input['correlation_id'] === undefined) input['correlation_id'] = NIL;
  if (input['trace_header'] === undefined) input['trace_header'] = newTraceHeader();
  return input;
}

/**
 * The same for the same line of the same file, wherever the file lies and the line stands in it: a batch that was cut short, or
 * got more lines, starts only what is missing. A fresh credential makes no other request.
 */
function correlationIdOf(file: string, given: Record<string, unknown>): string {
  const line = Object.fromEntries(Object.entries(given).filter(([key]) => key !== 'encrypted_jwt'));
  return uuidv5(JSON.stringify([file, line]), NAMESPACE);
}

/** Temporal's ID of the first start of a request, or of the one that runs it again after a job: one each, whoever asks. */
export function startIdOf(correlationId: string, after?: string): string {
  return uuidv5(JSON.stringify(['start', correlationId, after ?? null]), NAMESPACE);
}

function takenFault(seen: Map<string, number>, line: number, path: string, value: string, what: string): Fault[] {
  // Of what is kept while lines go by, only this grows with their number: a hash for each.
  const key = createHash('sha1').update(`${path}:${value}`).digest('base64').slice(0, 16);
  const earlier = seen.get(key);
  if (earlier !== undefined) return [{ path, message: `line ${earlier} ${what}` }];
  seen.set(key, line);
  return [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isRequest(one: Request | InvalidLine): one is Request {
  return 'input' in one;
}
