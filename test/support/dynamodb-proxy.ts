import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { freePort } from '../../dev/servers/ports.ts';

/** What the proxy does to a call of DynamoDB in place of passing it on. */
export type DynamoDbFault =
  /** Answers as a throttled table does. */
  | 'throttle'
  /** Breaks the connection; nothing was written. */
  | 'refuse'
  /** Passes it on, and breaks the connection in place of the answer: the write took effect. */
  | 'lose-answer'
  /** Never answers; nothing was written. Until the caller gives up. */
  | 'hang'
  /** Passes it on and never answers: the write took effect. */
  | 'hang-after'
  /** Begins an answer that goes no further; nothing was written. */
  | 'stall'
  /** Begins an answer and goes on without end. */
  | 'flood'
  /** Passes it on some seconds after the caller gave up: it arrives behind the next attempt. */
  | 'late';

/** Longer than the backoff before a second attempt. */
const LATE_MS = 6_000;

export interface DynamoDbCall {
  /** `PutItem`, `UpdateItem`, `GetItem` … */
  operation: string;
  at: number;
  request: Record<string, unknown> & { TableName: string };
  fault: DynamoDbFault | undefined;
  /** DynamoDB's own status code; none as long as it has not answered, or where the call was not passed on. */
  answer: number | undefined;
  /** The item that a write found and changed, as DynamoDB tells it with that very write. */
  old: Record<string, AttributeValue> | undefined;
}

export interface DynamoDbProxy {
  endpoint: string;
  /** Every call since the last `clear`, in order. */
  calls: DynamoDbCall[];
  /** The calls about one build. */
  callsFor(needle: string): DynamoDbCall[];
  /** Decides what becomes of each call; `undefined` passes it on. */
  decide: (call: DynamoDbCall) => DynamoDbFault | undefined | Promise<DynamoDbFault | undefined>;
  /** Answers in DynamoDB's place what the one behind does not know; `undefined` passes it on. */
  answer: (call: DynamoDbCall) => { status: number; body: unknown } | undefined;
  /** How far the clock that DynamoDB goes by is ahead of this machine's. */
  clockAheadMs: number;
  /** Ends every connection and closes the port: new ones are refused until {@link open}. */
  close(): Promise<void>;
  /** Listens on the same port again. */
  open(): Promise<void>;
  stop(): Promise<void>;
}

/** A proxy before a DynamoDB endpoint that records each call and does as told. */
export async function startDynamoDbProxy(target: string): Promise<DynamoDbProxy> {
  // Not an ephemeral one: while it is closed, no outgoing connection may take it.
  const port = await freePort();
  const upstream = new URL(target);
  // A connection each: one kept alive may be closed by the other side just as a call is passed on.
  const agent = new http.Agent({ keepAlive: false });
  const proxy: DynamoDbProxy = {
    endpoint: '',
    calls: [],
    callsFor: (needle) => proxy.calls.filter((call) => JSON.stringify(call.request).includes(needle)),
    decide: () => undefined,
    answer: () => undefined,
    clockAheadMs: 0,
    close: async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
    open: async () => {
      if (server.listening) return;
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    stop: async () => {
      agent.destroy();
      await proxy.close();
    },
  };

  const handle = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const gone = once(response, 'close');
    const body = await buffer(request);
    const call: DynamoDbCall = {
      operation: String(request.headers['x-amz-target']).split('.').at(-1) ?? '',
      at: Date.now(),
      request: JSON.parse(body.toString('utf8')) as DynamoDbCall['request'],
      fault: undefined,
      answer: undefined,
      old: undefined,
    };
    proxy.calls.push(call);
    call.fault = await proxy.decide(call);
    if (call.fault === 'refuse') return request.socket.destroy();
    if (call.fault === 'hang') return gone;
    if (call.fault === 'stall' || call.fault === 'flood') {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).write('{');
      if (call.fault === 'stall') return gone;
      return pipeline(Readable.from(endless(), { objectMode: false }), response);
    }
    if (call.fault === 'throttle') {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
      return response.end(
        JSON.stringify({
          __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
          message: 'The level of configured provisioned throughput for the table was exceeded.',
        }),
      );
    }
    const now = Date.now() + proxy.clockAheadMs;
    const own = refusalOf(request, now) ?? proxy.answer(call);
    if (own !== undefined) {
      response.writeHead(own.status, {
        'content-type': 'application/x-amz-json-1.0',
        date: new Date(now).toUTCString(),
      });
      return response.end(JSON.stringify(own.body));
    }
    if (call.fault === 'late') {
      await gone;
      await delay(LATE_MS);
    }
    const isWrite = call.operation === 'PutItem' || call.operation === 'UpdateItem';
    const asked = isWrite ? Buffer.from(JSON.stringify({ ReturnValues: 'ALL_OLD', ...call.request })) : body;
    const { method, url } = request;
    const headers = { ...request.headers, 'content-length': String(asked.length) };
    const passedOn = http.request({ agent, host: upstream.hostname, port: upstream.port, method, path: url, headers });
    passedOn.end(asked);
    const [answer] = (await once(passedOn, 'response')) as [http.IncomingMessage];
    const answerBody = await buffer(answer);
    call.answer = answer.statusCode;
    if (isWrite && call.answer === 200) call.old = oldItem(answerBody);
    if (call.fault === 'lose-answer') return request.socket.destroy();
    if (call.fault === 'hang-after') return gone;
    response.writeHead(answer.statusCode ?? 500, { ...answer.headers, date: new Date(now).toUTCString() });
    return response.end(answerBody);
  };

  const server = http.createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  await proxy.open();
  proxy.endpoint = `http://127.0.0.1:${port}`;
  return proxy;
}

function* endless() {
  for (;;) yield Buffer.alloc(65_536, ' ');
}

/** AWS takes a signature for so long. */
const SIGNED_WITHIN_MS = 300_000;

/** As DynamoDB refuses what was signed by a clock that is far from its own. */
function refusalOf({ headers }: http.IncomingMessage, now: number): { status: number; body: unknown } | undefined {
  const date = String(headers['x-amz-date']);
  const at = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (!(Math.abs(now - at) > SIGNED_WITHIN_MS)) return undefined;
  const message =
    at < now ? `Signature expired: ${date} is now earlier than` : `Signature not yet current: ${date} is later than`;
  const __type = 'com.amazon.coral.service#InvalidSignatureException';
  return { status: 400, body: { __type, message: `${message} ${new Date(now).toISOString()}` } };
}

function oldItem(answerBody: Buffer): DynamoDbCall['old'] {
  return (JSON.parse(answerBody.toString('utf8')) as { Attributes?: DynamoDbCall['old'] }).Attributes;
}
