import * as z from 'zod';
import { DIRECTORY_TEXT_MAX_CHARACTERS, isDirectoryServer } from './directory-group.ts';
import { clip } from './failures.ts';
import { workflowIdOf, WORKFLOW_ID_MAX_BYTES } from './identity.ts';
import { PREVIOUS_JOBS_MAX_BYTES } from './previous-jobs.ts';
import {
  DEADLINE_MAX_SECONDS,
  describeFaults,
  INPUT_MAX_DEPTH,
  type Fault,
  type RoleBuildInput,
} from './role-build-input.ts';

export { describeFaults, type Fault };

/** Below Temporal's 2 MiB for one payload, with room for what encryption and the failure details add. */
export const INPUT_MAX_BYTES = 1_500_000;
/** Further faults are only counted. Listed with their paths, they could exceed the size limit of a failure. */
const FAULTS_LISTED = 100;
const PATH_MAX_CHARACTERS = 256;
const URL_MAX_CHARACTERS = 2_048;
/** Common servers refuse a longer header. Answers are searched for this text, so it has to stay small. */
const ENCRYPTED_JWT_MAX_CHARACTERS = 16_384;
const ROOT = '(input)';

const printableAscii = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const maybeEmpty = z.string('must be a string').refine((value) => value.isWellFormed(), 'must be well-formed Unicode');
const text = maybeEmpty.min(1, 'must not be empty');
/** Limits texts so that both records, with an error's cause, stay well below DynamoDB's 400 KB for an item. */
const atMost = (maxCharacters: number, type = text) =>
  type.max(maxCharacters, `must be at most ${maxCharacters} characters`);
/** For search attributes and IDs, because Temporal's SQL databases don't accept NUL. */
const withoutNul = (type: z.ZodString) => type.refine((value) => !value.includes('\0'), 'must not contain NUL');
const headerText = text.regex(
  printableAscii,
  'must be printable ASCII without spaces around it, since it becomes a header',
);
const wholeSeconds = (min: number, max: number) =>
  z
    .number('must be a number')
    .int('must be a whole number of seconds')
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const url = atMost(URL_MAX_CHARACTERS).superRefine((value, ctx) => {
  for (const message of urlFaults(value)) ctx.addIssue({ code: 'custom', message });
});

const schema = z.looseObject(
  {
    build_body: z.looseObject(
      {
        account_id: z.string('must be a string').regex(/^\d{12}$/, 'must be 12 digits'),
        build_type: withoutNul(atMost(1_024)),
        action: withoutNul(atMost(1_024)),
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
        custom_role_name: z
          .string('must be a string')
          .regex(/^[\w+=,.@-]{1,64}$/, 'must be a role name: 1 to 64 letters, digits and _+=,.@-'),
        dry_run: z.boolean('must be true or false'),
      },
      'must be an object',
    ),
    ddb_composite_sort_key: withoutNul(text),
    correlation_id: atMost(256, headerText),
    trace_header: atMost(65_536),
    url,
    encrypted_jwt: atMost(ENCRYPTED_JWT_MAX_CHARACTERS, headerText),
    poll_interval_seconds: wholeSeconds(1, 3600).optional(),
    poll_spread_seconds: wholeSeconds(0, 3600).optional(),
    deadline_seconds: wholeSeconds(1, DEADLINE_MAX_SECONDS).optional(),
    requested_by: atMost(256).optional(),
    take_over: z.boolean('must be true or false').optional(),
    directory_group: z.boolean('must be true or false').optional(),
  },
  'must be a JSON object',
);

/** The top-level keys that have a meaning. Others are ignored, as in the state machine. */
export const INPUT_KEYS: readonly string[] = Object.keys(schema.shape);

/**
 * Checks an input as a whole.
 *
 * @returns every fault, none for a good input. Callers then use the input itself as a {@link RoleBuildInput} and not a
 *   validator's copy, so that unknown keys of `build_body` stay untouched.
 */
export function inputFaults(input: unknown): Fault[] {
  const faults = allFaults(input).map(({ path, message }) => ({ path: shownPath(path), message }));
  const more = faults.length - FAULTS_LISTED;
  return more <= 0 ? faults : [...faults.slice(0, FAULTS_LISTED), { path: ROOT, message: `has ${more} more faults` }];
}

function allFaults(input: unknown): Fault[] {
  const shapeFaults = jsonFaults(input);
  // An input that is too deep or too large is not looked at further.
  if (shapeFaults.some(({ message }) => message !== INEXACT)) return shapeFaults;
  const result = schema.safeParse(input, { reportInput: true });
  const ruleFaults = result.success ? [] : result.error.issues.map(toFault);
  const paths = new Set(ruleFaults.map(({ path }) => path));
  const faults = [...ruleFaults, ...shapeFaults.filter(({ path }) => !paths.has(path))];
  const value = input as Partial<RoleBuildInput>;
  if (value?.directory_group === true && value.build_body?.action !== 'create') {
    faults.push({ path: 'directory_group', message: 'is allowed with the action create only' });
  }
  const accountId = value?.build_body?.account_id;
  const resource = value?.ddb_composite_sort_key;
  if (typeof accountId === 'string' && typeof resource === 'string') {
    const bytes = Buffer.byteLength(workflowIdOf(accountId, resource));
    if (bytes > WORKFLOW_ID_MAX_BYTES) {
      faults.push({
        path: 'ddb_composite_sort_key',
        message: `makes a workflow ID of ${bytes} bytes; at most ${WORKFLOW_ID_MAX_BYTES} are allowed`,
      });
    }
  }
  return faults;
}

/** Returns the input if it is valid, else every fault. */
export function parseInput(input: unknown): { input: RoleBuildInput } | { faults: Fault[] } {
  const faults = inputFaults(input);
  return faults.length > 0 ? { faults } : { input: input as RoleBuildInput };
}

/** A key can have any length, and lone surrogates, which a failure's message can't carry. */
function shownPath(path: string): string {
  return clip(path, PATH_MAX_CHARACTERS).toWellFormed();
}

function toFault(issue: z.core.$ZodIssue): Fault {
  const path = issue.path.join('.') || ROOT;
  return { path, message: issue.input === undefined ? 'is missing' : issue.message };
}

function urlFaults(value: string): string[] {
  if (!URL.canParse(value) || !/^https?:\/\//i.test(value)) return ['must be an http or https URL'];
  const parsed = new URL(value);
  const faults: string[] = [];
  if (parsed.username !== '' || parsed.password !== '' || /^https?:\/\/[^/?#]*@/i.test(value)) {
    faults.push('must not contain credentials');
  }
  if (value.includes('?')) faults.push('must not contain a query');
  if (value.includes('#')) faults.push('must not contain a fragment');
  if (/[\s\\\p{Cc}]/u.test(value)) faults.push('must not contain white space, backslashes or control characters');
  return faults;
}

const INEXACT = 'is too large for a number to be carried exactly; send it as a string';

/** False for infinity, and for whole numbers that JavaScript may have rounded. */
function isCarriedExactly(value: number): boolean {
  return Number.isNaN(value) || (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)));
}

/** Finds what JSON or Temporal would not carry unchanged. */
function jsonFaults(input: unknown): Fault[] {
  const faults: Fault[] = [];
  const open: { parent: object; path: string; depth: number }[] = [];
  /** @returns whether it is too deep. `pathOf` is only called if needed, since there may be millions of values */
  const look = (value: unknown, pathOf: () => string, depth: number): boolean => {
    if (typeof value === 'number' && !isCarriedExactly(value)) {
      faults.push({ path: pathOf(), message: INEXACT });
    }
    if (typeof value !== 'object' || value === null) return false;
    open.push({ parent: value, path: pathOf(), depth });
    return depth === INPUT_MAX_DEPTH;
  };
  let isTooDeep = look(input, () => ROOT, 0);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { parent, path, depth } = next;
    if (isTooDeep) return [{ path, message: `is nested more than ${INPUT_MAX_DEPTH} levels deep` }];
    const children = Array.isArray(parent) ? parent.keys() : Object.keys(parent);
    for (const key of children) {
      const child = (parent as Record<string | number, unknown>)[key];
      isTooDeep = look(child, () => (path === ROOT ? String(key) || '""' : `${path}.${key}`), depth + 1);
      if (isTooDeep) break;
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(input) ?? '');
  if (bytes > INPUT_MAX_BYTES) {
    faults.push({ path: ROOT, message: `is ${bytes} bytes of JSON; at most ${INPUT_MAX_BYTES} are allowed` });
  }
  return faults;
}

const segment = atMost(2_048).refine((value) => value !== '.' && value !== '..', 'must be a path segment');
const serverText = atMost(DIRECTORY_TEXT_MAX_CHARACTERS);
const sent_to = z
  .strictObject({ name: serverText, address: serverText })
  .refine(isDirectoryServer, 'must have an IP address');
const errorInfo = { Error: maybeEmpty, Cause: maybeEmpty, sent_to: sent_to.optional() };
/** Strict, because the history record keeps it: DynamoDB would refuse each write of a larger or deeper item. */
const previousJob = z.strictObject(
  {
    job_id: maybeEmpty,
    start_at: maybeEmpty,
    status: maybeEmpty,
    updated_at: maybeEmpty.optional(),
    build_id: maybeEmpty.optional(),
    error_info: z.strictObject(errorInfo, 'must be an Error and its Cause').optional(),
  },
  'must be a job as the history keeps it',
);
const resumption = z.looseObject(
  {
    resumes: atMost(2_048),
    build_id: segment.optional(),
    previous_jobs: z
      .array(previousJob, 'must be a list')
      .refine(
        (jobs) => Buffer.byteLength(JSON.stringify(jobs)) <= PREVIOUS_JOBS_MAX_BYTES,
        `must be at most ${PREVIOUS_JOBS_MAX_BYTES} bytes of JSON`,
      ),
  },
  'must be an object',
);

/**
 * Checks a workflow's second argument, which any Temporal client can set.
 *
 * @returns the faults, at most 100; none if it is a `Resumption`
 */
export function resumptionFaults(given: unknown): Fault[] {
  const result = resumption.safeParse(given, { reportInput: true });
  const faults = result.success ? jsonFaults(given) : result.error.issues.map(toFault);
  return faults.slice(0, FAULTS_LISTED).map(({ path, message }) => ({
    path: shownPath(path === ROOT ? '(resumption)' : `(resumption).${path}`),
    message,
  }));
}
