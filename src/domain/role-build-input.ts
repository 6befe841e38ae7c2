/**
 * A caller's request: the state machine's execution input, with a few optional keys of ours.
 *
 * Separate from its validator, so that workflow code can import it without loading the validator.
 */
import { defined } from './defined.ts';
import type { Resumption } from './resumption.ts';

/** What to build. Keys that are not named here reach the build API untouched. */
export interface BuildBody {
  /** 12 digits. */
  account_id: string;
  /** For example `iam_role`. */
  build_type: string;
  /** For example `create`. */
  action: string;
  /** 1 to 64 characters that IAM allows in role names. */
  custom_role_name: string;
  dry_run: boolean;
  [key: string]: unknown;
}

/** The one argument of the workflow `roleBuild`. */
export interface RoleBuildInput {
  build_body: BuildBody;
  /** Sort key of the status record: what the build makes, such as `iam_role#data-reader`. */
  ddb_composite_sort_key: string;
  /** The request's ID: the history record's key and the `x-amzn-RequestId` header. At most 256 printable ASCII characters. */
  correlation_id: string;
  /** AWS X-Ray trace header, kept in both records. Any non-empty string. */
  trace_header: string;
  /** Base URL of the build API: http(s), without credentials, query or fragment. */
  url: string;
  /** The caller's encrypted credential, passed on to the build API. Printable ASCII. Never logged, never recorded. */
  encrypted_jwt: string;
  /** Seconds from the end of one poll to the next. Default 60, 1 to 3600. */
  poll_interval_seconds?: number;
  /** Most seconds that a hash of the workflow ID adds to the wait before the first poll. Default 0, at most 3600. */
  poll_spread_seconds?: number;
  /** Seconds from `start_at` after which the build is given up as `BuildDeadlineExceeded`. Default: none. */
  deadline_seconds?: number;
  /** Who requested the build, for the history record. */
  requested_by?: string;
  /** Replaces records that are IN_PROGRESS under a Step Functions execution. Default false: they are left alone. */
  take_over?: boolean;
  /** Also requests the role's group in the workers' directory; only if the action is `create`. Default false. */
  directory_group?: boolean;
}

/** What a call of the build API needs. */
export interface BuildApiTarget extends Pick<RoleBuildInput, 'url' | 'encrypted_jwt' | 'correlation_id'> {
  /** For the log. */
  job_id?: string;
  /** Only for a POST: another job or run of the request may have sent it without getting an answer. */
  may_be_sent?: true;
}

/** One thing that is wrong with an input, or with how a workflow was started with it. */
export interface Fault {
  /**
   * The path from the input's root, such as `build_body.account_id`. The root is `(input)`. Other roots are `(start)`
   * for the workflow's options, `(resumption)` and `(carried)`.
   */
  path: string;
  message: string;
}

/** One line for a person: every fault with its path. */
export function describeFaults(faults: readonly Fault[]): string {
  return faults.map((fault) => `${fault.path}: ${fault.message}`).join('; ');
}

/** Makes the refusal of an input with these faults. Its one detail lists them. */
export function invalidInput(faults: readonly Fault[]) {
  return { type: 'InvalidInput', message: `the input was refused: ${describeFaults(faults)}`, details: [{ faults }] };
}

export const DEFAULT_POLL_INTERVAL_SECONDS = 60;
/** Ten years. */
export const DEADLINE_MAX_SECONDS = 10 * 365 * 24 * 3600;

export type HistoryRequest = ReturnType<typeof historyRequestOf>;

/** The parts of an input that the history record needs. */
export function historyRequestOf(input: RoleBuildInput, resumption?: Resumption) {
  return defined({
    correlation_id: input.correlation_id,
    account_id: input.build_body.account_id,
    resource: input.ddb_composite_sort_key,
    action: input.build_body.action,
    trace_header: input.trace_header,
    requested_by: input.requested_by,
    take_over: input.take_over,
    resumption,
  });
}

/** The parts of an input that the status record holds, under the record's attribute names. */
export function statusAttributesOf({ build_body: body, ...input }: RoleBuildInput) {
  return {
    account_id: body.account_id,
    resource: input.ddb_composite_sort_key,
    build_type: body.build_type,
    action: body.action,
    custom_role_name: body.custom_role_name,
    dry_run: body.dry_run,
    correlation_id: input.correlation_id,
    trace_header: input.trace_header,
  };
}

/** JSON nested deeper than this is refused. If it is far deeper, JSON.stringify fails. */
export const INPUT_MAX_DEPTH = 100;

export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= INPUT_MAX_DEPTH && level.length > 0; depth += 1) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return level.length > 0;
}

/**
 * Whether an input has what the records need. Workflow code sees an input before an activity checks it. A malformed one
 * must reach that check; otherwise the workflow task fails and Temporal retries it forever.
 */
export function hasInputShape(input: unknown): input is RoleBuildInput {
  const { build_body, ddb_composite_sort_key, correlation_id } = (input ?? {}) as Partial<RoleBuildInput>;
  const { account_id, build_type, action, custom_role_name, dry_run } = (build_body ?? {}) as Partial<BuildBody>;
  const texts = [account_id, build_type, action, custom_role_name, ddb_composite_sort_key, correlation_id];
  return typeof dry_run === 'boolean' && texts.every((text) => typeof text === 'string');
}
