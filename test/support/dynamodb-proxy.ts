import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { freePort } from '../../dev/servers/ports.ts';

/** What the proxy does with a call of DynamoDB instead of forwarding it. */
export type DynamoDbFault =
  /** Answers like a throttled table. */
  | 'throttle'
  /** Closes the connection; nothing was written. */
  | 'refuse'
  /** Forwards the call and closes the connection instead of answering: the write took effect. */
  | 'lose-answer'
  /** Never answers, so that the caller times out; nothing was written. */
  | 'hang'
  /** Forwards the call and never answers: the write took effect. */
  | 'hang-after'
  /** Sends only the beginning of an answer; nothing was written. */
  | 'stall'
  /** Sends an endless answer. */
  | 'flood'
  /** Forwards the call some seconds after the caller has timed out: it arrives after the next attempt. */
  | 'late';

/** Longer than the backoff before a second attempt. */
const LATE_MS = 6_000;

export interface DynamoDbCall {
  /** `PutItem`, `UpdateItem`, `GetItem` … */
  operation: string;
  at: number;
  request: Record<string, unknown> & { TableName: string };
  fault: DynamoDbFault | undefined;
  /** DynamoDB's status code; undefined until it answers, or if the call was not forwarded. */
  answer: number | undefined;
  /** The previous item, which DynamoDB returned with the write itself. */
  old: Record<string, AttributeValue> | undefined;
}

export interface DynamoDbProxy {
  endpoint: string;
  /** Every call since the last `clear`, in order. */
  calls: DynamoDbCall[];
  callsFor(needle: string): DynamoDbCall[];
  /** Decides the fault of each call; `undefined` forwards it. */
  decide: (call: DynamoDbCall) => DynamoDbFault | undefined | Promise<DynamoDbFault | undefined>;
  /** Answers calls that the DynamoDB behind does not support; `undefined` forwards the call. */
  answer: (call: DynamoDbCall) => { status: number; body: unknown } | undefined;
  /** How far DynamoDB's clock is ahead of this machine's. */
  clockAheadMs: number;
  /** Closes every connection and the port: new connections are refused until {@link open}. */
  close(): Promise<void>;
  /** Listens on the same port again. */
  open(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a proxy in front of a DynamoDB endpoint that records each call and injects faults. */
export async function startDynamoDbProxy(target: string): Promise<DynamoDbProxy> {
  // Not an ephemeral port: while the proxy is closed, no outgoing connection may take it.
  const port = await freePort();
  const upstream = new URL(target);
  // One connection for each call: the server may close a kept-alive one just as a call is forwarded.
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

/** How long AWS accepts a signature. */
const SIGNED_WITHIN_MS = 300_000;

/** Refuses a request that was signed with a clock far from DynamoDB's, as DynamoDB does. */
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
