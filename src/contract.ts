/**
 * The contract between clients and workers: everything that another Temporal client needs to start or read a build.
 * Workflow code can import this module.
 */
import {
  defaultPayloadConverter,
  defineSearchAttributeKey,
  SearchAttributeType,
  type Headers,
  type PayloadConverter,
  type SearchAttributePair,
} from '@temporalio/common';
import type { SearchAttributeKey } from '@temporalio/common/lib/search-attributes.js';
import type { DirectoryGroup } from './domain/directory-group.ts';
import type { ErrorInfo } from './domain/failures.ts';
import type { EndStatus } from './domain/record-status.ts';
import type { RoleBuildInput } from './domain/role-build-input.ts';

export { parseWorkflowId as parseRoleBuildId, workflowIdOf } from './domain/identity.ts';

export const ROLE_BUILD_WORKFLOW_TYPE = 'roleBuild';
export const DEFAULT_TASK_QUEUE = 'role-builds';

/** The task queue of `triggerBuild`. It is separate, so that a rate limit on POSTs throttles no record write. */
export function triggersQueueOf(taskQueue: string): string {
  return `${taskQueue}-triggers`;
}

export const GROUP_WAITS = 'role built, group waits';

/** The task queue of the directory activities. Only workers with a directory poll it. */
export function directoryQueueOf(taskQueue: string): string {
  return `${taskQueue}-directory`;
}

// The return types are explicit, because the emitted declaration of an inferred type would not resolve.
const keywordKey = (name: string): SearchAttributeKey<'KEYWORD'> =>
  defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
const boolKey = (name: string): SearchAttributeKey<'BOOL'> => defineSearchAttributeKey(name, SearchAttributeType.BOOL);

/** Typed search attributes. Temporal does not encrypt them, so they hold nothing secret. `setup` registers them. */
export const searchAttributes = {
  JobId: keywordKey('JobId'),
  AccountId: keywordKey('AccountId'),
  Resource: keywordKey('Resource'),
  BuildType: keywordKey('BuildType'),
  BuildAction: keywordKey('BuildAction'),
  CustomRoleName: keywordKey('CustomRoleName'),
  CorrelationId: keywordKey('CorrelationId'),
  BuildStatus: keywordKey('BuildStatus'),
  DryRun: boolKey('DryRun'),
} as const;

/** SQL visibility stores keep a Keyword in a VARCHAR(255). */
const KEYWORD_MAX_CHARACTERS = 255;

/** Returns a value as a Keyword search attribute holds it. Use it for writes and for queries. */
export function keyword(value: string): string {
  return value.slice(0, KEYWORD_MAX_CHARACTERS);
}

/** The search attributes of a start. The workflow adds `JobId`, because a start does not know its run ID yet. */
export function searchAttributesOf(input: RoleBuildInput): SearchAttributePair[] {
  const body = input.build_body;
  return [
    { key: searchAttributes.AccountId, value: keyword(body.account_id) },
    { key: searchAttributes.Resource, value: keyword(input.ddb_composite_sort_key) },
    { key: searchAttributes.BuildType, value: keyword(body.build_type) },
    { key: searchAttributes.BuildAction, value: keyword(body.action) },
    { key: searchAttributes.CustomRoleName, value: keyword(body.custom_role_name) },
    { key: searchAttributes.CorrelationId, value: keyword(input.correlation_id) },
    { key: searchAttributes.BuildStatus, value: 'IN_PROGRESS' },
    { key: searchAttributes.DryRun, value: body.dry_run },
  ];
}

/** A build's summary in the Web UI's list. Temporal refuses more than 400 bytes. */
export function summaryOf({ build_body: body }: RoleBuildInput): string {
  const dryRun = body.dry_run ? ' (dry run)' : '';
  const text = `${body.action} ${body.build_type} ${body.custom_role_name} in ${body.account_id}${dryRun}`;
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 400);
}

/** How a build ended: the workflow's result, and the first detail of its failure. */
export interface RoleBuildOutcome {
  status: EndStatus;
  account_id: string;
  resource: string;
  job_id: string;
  start_at: string;
  correlation_id: string;
  /** The build API's ID of the build, if the POST was answered. */
  build_id?: string;
  /** GETs that were answered. */
  polls: number;
  /** Why it ended FAILED. */
  error_info?: ErrorInfo;
  directory_group?: DirectoryGroup;
  /** Whether a newer job held a record, which was left alone. */
  contested: boolean;
}

/** Memo key, `true` if a newer job held a record. */
export const CONTESTED_MEMO = 'contested';

/**
 * Type of an activity's failure if its worker could not read the payload, for example because it lacks the key. Such a
 * failure is no attempt at the step: a worker that has the key makes one.
 */
export const PAYLOAD_UNREADABLE = 'PayloadUnreadable';

/**
 * Wraps a converter so that an undecodable payload, such as Protobuf or text that is not JSON, does not throw. Any
 * client may start a workflow with one.
 *
 * @param none what such a payload is read as
 */
export function tolerantConverter(converter: PayloadConverter, none: unknown): PayloadConverter {
  return {
    toPayload: (value) => converter.toPayload(value),
    fromPayload: (payload) => {
      try {
        return converter.fromPayload(payload);
      } catch {
        return none as never;
      }
    },
  };
}

/** The reason if a build that continued as new requests its own cancellation after its end was written. */
export const OWN_CANCELLATION_REASON = 'cancelled in an earlier run';

/** Timer summaries: for the wait before a poll, and (`retrySummary`) for the wait before a step is retried. */
export const WAIT_SUMMARY = 'WaitForBuildStatus';

export function retrySummary(state: string, why: string): string {
  return `${state}: ${why}`;
}

/** Returns the state that a timer waits to retry, from the timer's summary; `undefined` for any other timer. */
export function retriedState(summary: unknown): string | undefined {
  return typeof summary === 'string' ? /^(\w+): /.exec(summary)?.[1] : undefined;
}

/** Joins the spans of a start and its activities to one trace. Temporal's own interceptors use the same header. */
export const TRACE_HEADER = '_tracer-data';

/** The header's value: W3C's `traceparent` and `tracestate`, or X-Ray's `x-amzn-trace-id`. */
export type TraceCarrier = Partial<Record<'traceparent' | 'tracestate' | 'x-amzn-trace-id', string>>;

/** Returns the trace header, to be merged with other headers. */
export function carrierHeader(carrier: TraceCarrier): Headers {
  return { [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

/** @returns the carrier's text values, since any client may put anything there; `undefined` if there is no carrier */
export function carrierIn(headers: Headers): TraceCarrier | undefined {
  const payload = headers[TRACE_HEADER];
  if (payload === undefined) return undefined;
  try {
    const carrier = defaultPayloadConverter.fromPayload<object | null>(payload);
    return Object.fromEntries(Object.entries(carrier ?? {}).filter(([, value]) => typeof value === 'string'));
  } catch {
    return undefined;
  }
}

/**
 * Returns the valid parts of an X-Ray trace header. Drops the rest, because a caller may give any text and headers are
 * not encrypted. Empty if the text names no trace.
 *
 * https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function xrayHeaderOf(text: unknown): string {
  if (typeof text !== 'string') return '';
  const parts = ['Root=1-(?!0{8}-0{24})[0-9a-f]{8}-[0-9a-f]{24}', 'Parent=[0-9a-f]{16}', 'Sampled=[01]'];
  const found = parts.map((part) => new RegExp(`(?:^|;)\\s*(${part})\\s*(?=;|$)`).exec(text)?.[1]);
  return found[0] === undefined ? '' : found.filter((part) => part !== undefined).join(';');
}
