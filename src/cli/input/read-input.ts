import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Environment } from '../../config/settings.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { defined } from '../../domain/defined.ts';
import { INPUT_KEYS, parseInput, type Fault } from '../../domain/validate-input.ts';
import { CliError } from '../errors/cli-error.ts';
import { flagOf } from '../options.ts';
import { oneLine, type Output } from '../terminal/output.ts';
import { readText } from './text-files.ts';
import { whoAmI } from './who.ts';

/** Options of `start` and `batch` that supply what an input leaves out. */
export interface DefaultOptions {
  url?: string;
  encryptedJwtFile?: string;
  deadlineSeconds?: number;
  pollIntervalSeconds?: number;
  pollSpreadSeconds?: number;
  requestedBy?: string;
  takeOver?: boolean;
  directoryGroup?: boolean;
}

/** Options of `start` that say what to build. */
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

/** Returns which flags or variables could supply what an input lacks. */
export function hintOf(faults: readonly Fault[]): { hint?: string } {
  const missing = (path: string) => faults.some((fault) => fault.path === path && fault.message === 'is missing');
  const credential = `the variable ${ENCRYPTED_JWT_VARIABLE} or --encrypted-jwt-file FILE`;
  const hints = [missing('url') && '--url URL', missing('encrypted_jwt') && credential].filter(
    (hint) => hint !== false,
  );
  return hints.length === 0 ? {} : { hint: hints.join(', and ') };
}

const WHAT_TO_BUILD = ['account', 'role', 'action', 'buildType', 'dryRun', 'resource'] as const;

/**
 * Makes the workflow's input from a file or from flags, and fills in what may be left out: correlation ID, trace
 * header, credential, requester. Options outrank the file.
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
  if (!isObject(given)) return checked(given, output);
  const input = {
    // Version 7 contains the time, so a command that looks for the request right after its start knows how old it is.
    correlation_id: uuidv7(),
    trace_header: newTraceHeader(),
    requested_by: whoAmI(),
    ...defined({ encrypted_jwt: env[ENCRYPTED_JWT_VARIABLE] || undefined }),
    ...defaults,
    ...given,
    ...defined({
      correlation_id: options.correlationId,
      trace_header: options.traceHeader,
      deadline_seconds: options.deadlineSeconds,
      poll_interval_seconds: options.pollIntervalSeconds,
      poll_spread_seconds: options.pollSpreadSeconds,
      requested_by: options.requestedBy,
      take_over: options.takeOver,
      directory_group: options.directoryGroup,
      encrypted_jwt: await credentialFile(options, stdin, output),
    }),
  };
  return checked(input, output);
}

/** @throws CliError `usage` naming every fault */
export function checked(input: unknown, output: Output): RoleBuildInput {
  if (isObject(input)) output.secret(input['encrypted_jwt']);
  const parsed = parseInput(input);
  if ('faults' in parsed) {
    const { faults } = parsed;
    const lines = faults.map(({ path, message }) => `  ${oneLine(path)}: ${message}`);
    throw new CliError('usage', `the input is not valid:\n${lines.join('\n')}`, {
      fields: { faults },
      ...hintOf(faults),
    });
  }
  for (const key of Object.keys(parsed.input).filter((name) => !INPUT_KEYS.includes(name))) {
    output.note(`role-build: the input's key ${JSON.stringify(key)} is not known; it is passed on unchanged`);
  }
  return parsed.input;
}

function fromFlags(options: InputOptions): Record<string, unknown> {
  const { buildType = 'iam_role', action = 'create' } = options;
  const missing = (['account', 'role', 'url'] as const).filter((flag) => options[flag] === undefined);
  if (missing.length > 0) {
    const flags = missing.map((flag) => `--${flag}`).join(', ');
    throw new CliError('usage', `missing ${flags} (or give the whole input with --input FILE)`);
  }
  return {
    build_body: {
      account_id: options.account,
      build_type: buildType,
      action,
      custom_role_name: options.role,
      dry_run: options.dryRun ?? false,
    },
    ddb_composite_sort_key: options.resource ?? `${buildType}#${options.role}`,
    url: options.url,
  };
}

async function fromFile(options: InputOptions, file: string, stdin: NodeJS.ReadableStream): Promise<unknown> {
  const both = WHAT_TO_BUILD.filter((option) => options[option] !== undefined).map(flagOf);
  if (both.length > 0) {
    throw new CliError('usage', `${both.join(', ')}: can't be given together with --input`);
  }
  const content = await readText(file, stdin, 'the input');
  try {
    const input: unknown = JSON.parse(content);
    return isObject(input) && options.url !== undefined ? { ...input, url: options.url } : input;
  } catch (err) {
    throw new CliError('usage', `${file === '-' ? 'stdin' : file} is not JSON: ${syntaxProblem(err as Error)}`);
  }
}

/** Keeps only the position: V8 quotes the text around the fault, which may be the credential. */
export function syntaxProblem({ message }: Error): string {
  if (message.includes('Unexpected end of JSON input')) return 'it ends too early';
  const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0];
  return place === undefined ? "it can't be parsed" : `fault ${place}`;
}

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

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
