/**
 * Temporal's `StartWorkflowExecutionRequest` for a build, as bytes, without the protobuf library: loading that takes longer
 * than everything else that a start does. `test/cli/quick-start.test.ts` holds it to the request that Temporal's client makes.
 *
 * https://github.com/temporalio/api/blob/master/temporal/api/workflowservice/v1/request_response.proto
 */
import { ROLE_BUILD_WORKFLOW_TYPE, searchAttributesOf, summaryOf, workflowIdOf } from '../../contract.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';

export interface StartRequest {
  input: RoleBuildInput;
  namespace: string;
  taskQueue: string;
  identity: string;
  /** The same one in every attempt: the server starts one workflow for it, however often it arrives. */
  requestId: string;
}

/** How the server writes the types of search attributes. */
const TYPE_NAMES = { KEYWORD: 'Keyword', BOOL: 'Bool' } as const;
const ALLOW_DUPLICATE = 1;
const CONFLICT_FAIL = 1;
const QUEUE_NORMAL = 1;

export function encodeStartRequest({ input, namespace, taskQueue, identity, requestId }: StartRequest): Buffer {
  const attributes = searchAttributesOf(input).map(({ key, value }) =>
    field(1, field(1, key.name), field(2, jsonPayload(value, TYPE_NAMES[key.type as keyof typeof TYPE_NAMES]))),
  );
  return Buffer.concat([
    field(1, namespace),
    field(2, workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key)),
    field(3, field(1, ROLE_BUILD_WORKFLOW_TYPE)),
    field(4, field(1, taskQueue), enumField(2, QUEUE_NORMAL)),
    field(5, field(1, jsonPayload(input))),
    field(9, identity),
    field(10, requestId),
    enumField(11, ALLOW_DUPLICATE),
    field(15, ...attributes),
    enumField(22, CONFLICT_FAIL),
    field(23, field(1, jsonPayload(summaryOf(input)))),
  ]);
}

/** The run ID in a `StartWorkflowExecutionResponse`, of which it is the first field. */
export function decodeRunId(response: Buffer): string {
  const length = response[1] ?? 0;
  if (response[0] !== tag(1, LENGTH_DELIMITED) || length === 0 || length >= 0x80) {
    throw new Error('Temporal answered without a run ID');
  }
  return response.toString('utf8', 2, 2 + length);
}

function jsonPayload(value: unknown, type?: string): Buffer {
  const metadata = (name: string, text: string) => field(1, field(1, name), field(2, text));
  return Buffer.concat([
    metadata('encoding', 'json/plain'),
    ...(type === undefined ? [] : [metadata('type', type)]),
    field(2, JSON.stringify(value)),
  ]);
}

// The wire format: https://protobuf.dev/programming-guides/encoding/
const VARINT = 0;
const LENGTH_DELIMITED = 2;

function tag(number: number, wireType: number): number {
  return (number << 3) | wireType;
}

/** A string, bytes or a message of the fields given. */
function field(number: number, ...content: readonly (string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(tag(number, LENGTH_DELIMITED)), varint(bytes.length), bytes]);
}

function enumField(number: number, value: number): Buffer {
  return Buffer.concat([varint(tag(number, VARINT)), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
