/**
 * What client and worker agree on. Everything that another Temporal client needs to start or read a build is here;
 * safe to import in workflow code.
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

/** The task queue of `triggerBuild`, so that a limit on POSTs for all workers together throttles no record write. */
export function triggersQueueOf(taskQueue: string): string {
  return `${taskQueue}-triggers`;
}

export const GROUP_WAITS = 'role built, group waits';

/** The task queue of the directory's activities, which only workers with a directory poll. */
export function directoryQueueOf(taskQueue: string): string {
  return `${taskQueue}-directory`;
}

// Named, since the declaration that is emitted for an unnamed type leads nowhere.
const keywordKey = (name: string): SearchAttributeKey<'KEYWORD'> =>
  defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
const boolKey = (name: string): SearchAttributeKey<'BOOL'> => defineSearchAttributeKey(name, SearchAttributeType.BOOL);

/** Typed search attributes: never encrypted, so never anything secret. `setup` registers them. */
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

/** A value as it stands in a Keyword search attribute; use it for writing and for looking up. */
export function keyword(value: string): string {
  return value.slice(0, KEYWORD_MAX_CHARACTERS);
}

/** What a build is listed and found by from its start; `JobId` is added by the workflow, which knows it first. */
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
  /** The build API's ID, once its POST was answered. */
  build_id?: string;
  /** GETs that were answered. */
  polls: number;
  /** Why it ended FAILED. */
  error_info?: ErrorInfo;
  directory_group?: DirectoryGroup;
  /** A newer job held a record, which was left alone. */
  contested: boolean;
}

/** Memo key that says `true` if a newer job held a record. */
export const CONTESTED_MEMO = 'contested';

/**
 * Type of an activity's failure if its worker could not read what it was given, as for want of a key: no attempt at the
 * step was made, and a worker that has the key makes it.
 */
export const PAYLOAD_UNREADABLE = 'PayloadUnreadable';

/**
 * A converter without the error for a payload that holds no value, such as one of Protobuf, or text that is not JSON: any
 * client may start a workflow with one.
 *
 * @param none what such a payload reads as
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

/** The reason when a build that continued as new requests its own cancellation, once its end is written. */
export const OWN_CANCELLATION_REASON = 'cancelled in an earlier run';

/** Summaries of timers: the wait for the next poll, and the waits to make a step again. */
export const WAIT_SUMMARY = 'WaitForBuildStatus';

export function retrySummary(state: string, why: string): string {
  return `${state}: ${why}`;
}

/** The state that a timer waits to make again, by its summary; `undefined` if it waits for anything else. */
export function retriedState(summary: unknown): string | undefined {
  return typeof summary === 'string' ? /^(\w+): /.exec(summary)?.[1] : undefined;
}

/** Header of a start, and of the activities after it, that joins spans to one trace: that of Temporal's own interceptors. */
export const TRACE_HEADER = '_tracer-data';

/** What it holds: a propagator's carrier, `traceparent` and `tracestate` of W3C or `x-amzn-trace-id` of X-Ray. */
export type TraceCarrier = Partial<Record<'traceparent' | 'tracestate' | 'x-amzn-trace-id', string>>;

/** The header, to be put beside the others. */
export function carrierHeader(carrier: TraceCarrier): Headers {
  return { [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

/** @returns what is text of the carrier, since any client may put anything there; `undefined` if there is none */
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
 * The parts of an X-Ray trace header that are as X-Ray has them, and nothing else of it: a caller may give any text, and
 * headers are not encrypted. Empty if it names no trace.
 *
 * https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function xrayHeaderOf(text: unknown): string {
  if (typeof text !== 'string') return '';
  const parts = ['Root=1-(?!0{8}-0{24})[0-9a-f]{8}-[0-9a-f]{24}', 'Parent=[0-9a-f]{16}', 'Sampled=[01]'];
  const found = parts.map((part) => new RegExp(`(?:^|;)\\s*(${part})\\s*(?=;|$)`).exec(text)?.[1]);
  return found[0] === undefined ? '' : found.filter((part) => part !== undefined).join(';');
}
