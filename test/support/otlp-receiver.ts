/** A trace collector: accepts OTLP/HTTP as protobuf and keeps the decoded spans. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** The used part of https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
const PROTO = `
  syntax = "proto3";
  message Export { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; Status status = 15;
  }
  message Event { string name = 2; repeated KeyValue attributes = 3; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`;
const Export = protobuf.parse(PROTO).root.lookupType('Export');
const STATUS_ERROR = 2;

type Attributes = Record<string, string | number | boolean>;

export interface ReceivedSpan {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for a root span. */
  parentId: string;
  startMs: number;
  endMs: number;
  attributes: Attributes;
  events: unknown[];
  failed: boolean;
  /** The message of the span's status. */
  message: string;
}

export interface OtlpReceiver {
  url: string;
  spans(): ReceivedSpan[];
  /** Returns the spans of a build and of what it called. */
  spansOf(traceId: string): ReceivedSpan[];
  /** All received bodies, undecoded. */
  bodies: Buffer[];
  headers: IncomingHttpHeaders[];
  stop(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    receiver.bodies.push(body);
    receiver.headers.push(request.headers);
    const isKnown = request.method === 'POST' && request.url === '/v1/traces';
    if (isKnown) spans.push(...decoded(body));
    response.writeHead(isKnown ? 200 : 404).end();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => [...spans],
    spansOf: (traceId) => spans.filter((span) => span.traceId === traceId),
    bodies: [],
    headers: [],
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}

interface RawAttribute {
  key: string;
  value: Record<string, string | number | boolean>;
}

interface RawSpan extends Record<'traceId' | 'spanId' | 'parentSpanId', string> {
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: RawAttribute[];
  events?: unknown[];
  status?: { message?: string; code?: number };
}

interface RawExport {
  resourceSpans: { resource: { attributes: RawAttribute[] }; scopeSpans: { spans: RawSpan[] }[] }[];
}

function decoded(body: Buffer): ReceivedSpan[] {
  const raw = Export.toObject(Export.decode(body), { longs: String, bytes: String, arrays: true }) as RawExport;
  return raw.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(attributesOf(resource.attributes)['service.name']),
        name: span.name,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
        endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
        attributes: attributesOf(span.attributes),
        events: span.events ?? [],
        failed: span.status?.code === STATUS_ERROR,
        message: span.status?.message ?? '',
      })),
    ),
  );
}

function attributesOf(raw: readonly RawAttribute[] = []): Attributes {
  return Object.fromEntries(
    raw.map(({ key, value }) => {
      const [[kind, one] = ['', '']] = Object.entries(value);
      return [key, kind === 'intValue' ? Number(one) : one];
    }),
  );
}

function hex(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('hex');
}
