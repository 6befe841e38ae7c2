import { randomBytes, randomUUID } from 'node:crypto';
import type { Environment } from '../config.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { INPUT_KEYS, inputFaults, isRoleBuildInput, type Fault } from '../domain/validate-input.ts';
import { CliError } from './errors.ts';
import { oneLine, type Output } from './output.ts';
import { readText } from './text-files.ts';
import { whoAmI } from './who.ts';

/** The options of `start` and `batch` for what an input does not say itself. */
export interface DefaultOptions {
  url?: string;
  encryptedJwtFile?: string;
  deadlineSeconds?: number;
  pollIntervalSeconds?: number;
  pollSpreadSeconds?: number;
  requestedBy?: string;
  takeOver?: boolean;
}

/** The options of `start` that say what to build. */
export interface InputOptions extends DefaultOptions {
  input?: string;
  account?: string;
  role?: string;
  action?: string;
  buildType?: string;
  dryRun?: boolean;
  resource?: string;
  correlationId?: string;
  traceHeader?: string;
}

export const ENCRYPTED_JWT_VARIABLE = 'ENCRYPTED_JWT';

/** What to try where an input lacks what a flag or the environment gives. */
export function hintOf(faults: readonly Fault[]): { hint?: string } {
  const missing = (path: string) => faults.some((fault) => fault.path === path && fault.message === 'is missing');
  const hints = [
    ...(missing('url') ? ['--url URL'] : []),
    ...(missing('encrypted_jwt') ? [`the variable ${ENCRYPTED_JWT_VARIABLE} or --encrypted-jwt-file FILE`] : []),
  ];
  return hints.length === 0 ? {} : { hint: hints.join(', and ') };
}

const DEFAULTS = { action: 'create', buildType: 'iam_role' } as const;
const FLAGS_OF_THE_BODY = ['account', 'role', 'action', 'buildType', 'dryRun'] as const;

/**
 * Makes the workflow's input of a file or of flags, and fills in what may be left out: correlation ID, trace header,
 * credential, who asks.
 *
 * @param defaults for keys that an input given as a file leaves out
 * @throws CliError `usage` naming every fault
 */
export async function readInput(
  options: InputOptions,
  env: Environment,
  stdin: NodeJS.ReadableStream,
  output: Output,
  defaults: Partial<RoleBuildInput> = {},
): Promise<RoleBuildInput> {
  if (options.input === '-' && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the input or the credential, not both');
  }
  const given = options.input === undefined ? fromFlags(options) : await fromFile(options, options.input, stdin);
  const input: unknown = isObject(given)
    ? await filledIn({ ...defaults, ...given }, options, env, stdin, output)
    : given;
  return checked(input, output);
}

/** @throws CliError `usage` naming every fault */
export function checked(input: unknown, output: Output): RoleBuildInput {
  if (isObject(input)) output.secret(input['encrypted_jwt']);
  if (!isRoleBuildInput(input)) {
    const faults = inputFaults(input);
    throw new CliError(
      'usage',
      `the input is not valid:\n${faults.map((f) => `  ${oneLine(f.path)}: ${f.message}`).join('\n')}`,
      { fields: { faults }, ...hintOf(faults) },
    );
  }
  for (const key of Object.keys(input).filter((name) => !INPUT_KEYS.includes(name))) {
    output.note(`role-build: the input's key ${JSON.stringify(key)} means nothing and is passed on unread`);
  }
  return input;
}

function fromFlags(options: InputOptions): Record<string, unknown> {
  const buildType = options.buildType ?? DEFAULTS.buildType;
  const missing = (['account', 'role', 'url'] as const).filter((flag) => options[flag] === undefined);
  if (missing.length > 0) {
    const flags = missing.map((flag) => `--${flag}`).join(', ');
    throw new CliError('usage', `missing ${flags} (or give the whole input with --input FILE)`);
  }
  return {
    build_body: {
      account_id: options.account,
      build_type: buildType,
      action: options.action ?? DEFAULTS.action,
      custom_role_name: options.role,
      dry_run: options.dryRun ?? false,
    },
    ddb_composite_sort_key: options.resource ?? `${buildType}#${options.role}`,
    url: options.url,
  };
}

async function fromFile(options: InputOptions, file: string, stdin: NodeJS.ReadableStream): Promise<unknown> {
  const both = [...FLAGS_OF_THE_BODY, 'resource' as const].filter((flag) => options[flag] !== undefined);
  if (both.length > 0) {
    const flags = both.map((flag) => `--${flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`).join(', ');
    throw new CliError('usage', `${flags}: not together with --input, which says what to build`);
  }
  const content = await readText(file, stdin, 'the input');
  try {
    const input: unknown = JSON.parse(content);
    return isObject(input) && options.url !== undefined ? { ...input, url: options.url } : input;
  } catch (err) {
    throw new CliError('usage', `${file === '-' ? 'stdin' : file} is not JSON: ${syntaxProblem(err as Error)}`);
  }
}

/** V8 quotes the text around the fault, which may be the credential: only where it is stays. */
export function syntaxProblem({ message }: Error): string {
  return /Unexpected end of JSON input/.test(message)
    ? 'it ends too early'
    : (/at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0] ?? 'it can not be read').replace(
        /^at/,
        'fault at',
      );
}

async function filledIn(
  given: Record<string, unknown>,
  options: InputOptions,
  env: Environment,
  stdin: NodeJS.ReadableStream,
  output: Output,
): Promise<Record<string, unknown>> {
  const input: Record<string, unknown> = { ...given };
  const set = (key: keyof RoleBuildInput, value: unknown) => {
    if (value !== undefined) input[key] = value;
  };
  set('correlation_id', options.correlationId);
  set('trace_header', options.traceHeader);
  set('deadline_seconds', options.deadlineSeconds);
  set('poll_interval_seconds', options.pollIntervalSeconds);
  set('poll_spread_seconds', options.pollSpreadSeconds);
  set('requested_by', options.requestedBy);
  set('take_over', options.takeOver);
  const fromFlag = await credentialFile(options, stdin, output);
  if (fromFlag !== undefined) input['encrypted_jwt'] = fromFlag;
  else if (input['encrypted_jwt'] === undefined) set('encrypted_jwt', env[ENCRYPTED_JWT_VARIABLE]);
  if (input['correlation_id'] === undefined) input['correlation_id'] = randomUUID();
  if (input['trace_header'] === undefined) input['trace_header'] = newTraceHeader();
  if (input['requested_by'] === undefined) input['requested_by'] = whoAmI();
  return input;
}

/** The credential in the file of `--encrypted-jwt-file`, where it is given. */
export async function credentialFile(
  options: { encryptedJwtFile?: string },
  stdin: NodeJS.ReadableStream,
  output: Output,
): Promise<string | undefined> {
  if (options.encryptedJwtFile === undefined) return undefined;
  const credential = (await readText(options.encryptedJwtFile, stdin, 'the credential')).trim();
  output.secret(credential);
  return credential;
}

/** https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader */
export function newTraceHeader(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Parent=${randomBytes(8).toString('hex')};Sampled=1`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
