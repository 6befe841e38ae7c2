import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';

/** What the proxy does to a call of DynamoDB in place of passing it on. */
export type DynamoDbFault =
  /** Answers as a throttled table does. */
  | 'throttle'
  /** Breaks the connection; nothing was written. */
  | 'refuse'
  /** Passes it on, and breaks the connection in place of the answer: the write took effect. */
  | 'lose-answer';

export interface DynamoDbCall {
  /** `PutItem`, `UpdateItem`, `GetItem` … */
  operation: string;
  at: number;
  request: Record<string, unknown> & { TableName: string };
  fault: DynamoDbFault | undefined;
}

export interface DynamoDbProxy {
  endpoint: string;
  /** Every call since the last `clear`, in order. */
  calls: DynamoDbCall[];
  /** The calls about one build. */
  callsFor(needle: string): DynamoDbCall[];
  /** Decides what becomes of each call; `undefined` passes it on. */
  decide: (call: DynamoDbCall) => DynamoDbFault | undefined;
  /** Answers in DynamoDB's place what the one behind does not know; `undefined` passes it on. */
  answer: (call: DynamoDbCall) => { status: number; body: unknown } | undefined;
  stop(): Promise<void>;
}

/** A proxy before a DynamoDB endpoint that records each call and does as told. */
export async function startDynamoDbProxy(target: string): Promise<DynamoDbProxy> {
  const upstream = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const proxy: DynamoDbProxy = {
    endpoint: '',
    calls: [],
    callsFor: (needle) => proxy.calls.filter((call) => JSON.stringify(call.request).includes(needle)),
    decide: () => undefined,
    answer: () => undefined,
    stop: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const handle = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const body = await buffer(request);
    const call: DynamoDbCall = {
      operation: String(request.headers['x-amz-target']).split('.').at(-1) ?? '',
      at: Date.now(),
      request: JSON.parse(body.toString('utf8')) as DynamoDbCall['request'],
      fault: undefined,
    };
    call.fault = proxy.decide(call);
    proxy.calls.push(call);
    if (call.fault === 'refuse') return request.socket.destroy();
    if (call.fault === 'throttle') {
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
      return response.end(
        JSON.stringify({
          __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
          message: 'The level of configured provisioned throughput for the table was exceeded.',
        }),
      );
    }
    const own = proxy.answer(call);
    if (own !== undefined) {
      response.writeHead(own.status, { 'content-type': 'application/x-amz-json-1.0' });
      return response.end(JSON.stringify(own.body));
    }
    const { method, url, headers } = request;
    const passedOn = http.request({ agent, host: upstream.hostname, port: upstream.port, method, path: url, headers });
    passedOn.end(body);
    const [answer] = (await once(passedOn, 'response')) as [http.IncomingMessage];
    const answerBody = await buffer(answer);
    if (call.fault === 'lose-answer') return request.socket.destroy();
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    return response.end(answerBody);
  };

  const server = http.createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}
