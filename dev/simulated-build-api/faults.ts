import { validateHeaderName, validateHeaderValue } from 'node:http';

/** How one answer differs from the ordinary one. Fields can be combined. */
export interface Fault {
  /** How long to wait before answering or dropping. The request takes effect before the wait. */
  delay_ms?: number;
  status?: number;
  headers?: Record<string, string | string[]>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged, as HTML unless `headers` has another content type. */
  text?: string;
  /** The length of a generated body. */
  bytes?: number;
  /** Closes the connection before or after the request is taken, or in the answer's body, also by a reset. */
  drop?: 'before' | 'after' | 'mid-body' | 'reset-mid-body';
  /** Takes the request and never answers. */
  hang?: true;
  /** Whether the build is made, or the poll counted; by default unless `drop` is "before" or `status` is not 2xx. */
  takes_effect?: boolean;
}

/** `null` means the ordinary answer. */
export type FaultList = readonly (Fault | null)[];

export const OUTCOMES = ['SUCCEEDED', 'FAILED', 'NEVER'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The contents of `build_body.simulate`. */
export interface Simulate {
  polls?: number;
  outcome?: Outcome;
  message?: string;
  build_id?: unknown;
  trigger?: FaultList;
  status?: FaultList;
}

/** The body of `PUT /_simulator/faults`. */
export interface FaultsRequest {
  trigger?: FaultList;
  status?: FaultList;
  correlation_id?: string;
}

/** A request that can't be understood. The message names the faulty part, for a person. */
export class BadRequest extends Error {
  override name = 'BadRequest';
}

/** @returns what the value must be, if it is not; checks nested values itself and throws */
type Check = (value: unknown, path: string) => string | undefined;

/** The longest delay of a Node.js timer. */
const DELAY_MAX_MS = 2_147_483_647;

const wholeNumber =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `a whole number from ${min} to ${max}`;

const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value) ? undefined : values.map((one) => JSON.stringify(one)).join(' or ');

const string: Check = (value) => (typeof value === 'string' ? undefined : 'a string');
const anything: Check = () => undefined;

const headers: Check = (value, path) => {
  if (!isObject(value)) return 'an object';
  for (const [name, values] of Object.entries(value)) {
    try {
      validateHeaderName(name);
      for (const one of Array.isArray(values) ? values : [values]) {
        if (typeof one !== 'string') return 'an object of strings or arrays of strings';
        validateHeaderValue(name, one);
      }
    } catch (err) {
      throw new BadRequest(`${path}.${name}: ${(err as Error).message}`, { cause: err });
    }
  }
  return undefined;
};

const FAULT: Record<keyof Fault, Check> = {
  delay_ms: wholeNumber(0, DELAY_MAX_MS),
  status: wholeNumber(200, 599),
  headers,
  body: anything,
  text: string,
  bytes: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  drop: oneOf('before', 'after', 'mid-body', 'reset-mid-body'),
  hang: oneOf(true),
  takes_effect: oneOf(true, false),
};

const faultList: Check = (value, path) => {
  if (!Array.isArray(value)) return 'an array of faults';
  value.forEach((entry, index) => {
    if (entry !== null) checkFault(entry, `${path}[${index}]`);
  });
  return undefined;
};

const SIMULATE: Record<keyof Simulate, Check> = {
  polls: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  outcome: oneOf(...OUTCOMES),
  message: string,
  build_id: anything,
  trigger: faultList,
  status: faultList,
};

const FAULTS_REQUEST: Record<keyof FaultsRequest, Check> = {
  trigger: faultList,
  status: faultList,
  correlation_id: string,
};

/** @throws BadRequest */
export function parseSimulate(value: unknown): Simulate {
  checkFields(value, 'simulate', SIMULATE);
  return value as Simulate;
}

/** @throws BadRequest */
export function parseFaultsRequest(value: unknown): FaultsRequest {
  checkFields(value, '', FAULTS_REQUEST);
  return value as FaultsRequest;
}

/** Whether the build is made, or the poll counted, under this fault. */
export function takesEffect(fault: Fault | null): boolean {
  if (fault?.takes_effect !== undefined) return fault.takes_effect;
  if (fault?.drop !== undefined) return fault.drop !== 'before';
  return fault?.hang === true || fault?.status === undefined || isSuccess(fault.status);
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkFault(value: unknown, path: string): void {
  checkFields(value, path, FAULT);
  const given = Object.keys(value as Fault);
  const { drop, hang } = value as Fault;
  refuseTogether(path, given, ['body', 'text', 'bytes']);
  refuseTogether(path, given, ['drop', 'hang']);
  // A field without an effect is refused; otherwise the author would believe that it was tested.
  for (const [without, on] of [
    [drop === 'before' || drop === 'after', 'drop'],
    [hang === true, 'hang'],
  ] as const) {
    if (!without) continue;
    for (const field of ['status', 'headers', 'body', 'text', 'bytes']) refuseTogether(path, given, [on, field]);
    if (on === 'drop') refuseTogether(path, given, [on, 'takes_effect']);
  }
}

function refuseTogether(path: string, given: readonly string[], fields: readonly string[]): void {
  const both = fields.filter((field) => given.includes(field));
  if (both.length > 1) throw new BadRequest(`${path}: ${both.join(' and ')} can't be combined`);
}

function checkFields(value: unknown, path: string, checks: Record<string, Check>): void {
  const label = path === '' ? 'the body' : path;
  if (!isObject(value)) throw new BadRequest(`${label} must be an object`);
  for (const [key, inside] of Object.entries(value)) {
    const keyPath = path === '' ? key : `${path}.${key}`;
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (check === undefined) {
      throw new BadRequest(`${keyPath} is unknown; ${label} may have: ${Object.keys(checks).join(', ')}`);
    }
    const expected = check(inside, keyPath);
    if (expected !== undefined) throw new BadRequest(`${keyPath} must be ${expected}`);
  }
}
