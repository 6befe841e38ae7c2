import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { authorityOf, listen } from '../../src/process/listen.ts';
import { answer, type OrdinaryAnswer } from './answers.ts';
import { Builds, type Build } from './builds.ts';
import { buildIdSegment, checkHeaders, parseJsonObject } from './contract.ts';
import { FaultQueue } from './fault-queue.ts';
import { BadRequest, parseFaultsRequest, parseSimulate, takesEffect, type FaultsRequest } from './faults.ts';
import { HELP } from './help.ts';
import { Records, type RecordedRequest } from './records.ts';

export type { Build } from './builds.ts';
export type { Fault, FaultsRequest, Simulate } from './faults.ts';
export type { RecordedRequest } from './records.ts';

/** Fits the longest credential; Node.js's default of 16 KiB does not. */
const HEADERS_MAX_BYTES = 32 * 1024;

export interface SimulatedBuildApi {
  readonly server: http.Server;
  /** @param port 0 takes a free one @returns the URL. Builds and requests are kept after a close. */
  listen(port?: number, host?: string): Promise<string>;
  /** Closes every connection, even one that waits for an answer. */
  close(): Promise<void>;
  /** Does as `GET /_simulator/requests`. */
  requests(correlationId?: string): RecordedRequest[];
  clearRequests(): void;
  /** Does as `GET /_simulator/builds`. */
  builds(): Build[];
  /** Does as `PUT /_simulator/faults`. */
  putFaults(faults: FaultsRequest): void;
  clearFaults(): void;
}

export function createSimulatedBuildApi(): SimulatedBuildApi {
  const builds = new Builds();
  const faults = new FaultQueue();
  const records = new Records();
  const server = http.createServer({ maxHeaderSize: HEADERS_MAX_BYTES }, (req, res) => {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    handle(req, res, gone.signal).catch((err: unknown) => {
      // The client has closed the connection, which is not an error of this program.
      if (gone.signal.aborted) return;
      process.stderr.write(`simulated build API: ${err instanceof Error ? err.stack : String(err)}\n`);
      res.destroy();
    });
  });

  async function handle(req: IncomingMessage, res: ServerResponse, gone: AbortSignal): Promise<void> {
    const [path = '', query = ''] = (req.url ?? '').split('?', 2);
    if (path === '/' || path.startsWith('/_simulator/')) return control(req, res, path, new URLSearchParams(query));

    const record = records.add(req);
    try {
      for await (const chunk of req.setEncoding('utf8')) record.body += chunk as string;
      const ordinary = buildApi(req, path, record);
      await answer(res, ordinary, record.fault, record, gone);
    } catch (err) {
      if (!(err instanceof BadRequest)) throw err;
      await answer(res, { status: 400, body: { message: err.message } }, null, record, gone);
    }
  }

  /** Executes the request, unless its fault prevents that. */
  function buildApi(req: IncomingMessage, path: string, record: RecordedRequest): OrdinaryAnswer {
    if (path === '/build') return req.method === 'POST' ? trigger(req, record) : notAllowed('POST');
    const segment = buildIdSegment(path);
    if (segment === undefined) return { status: 404, body: { message: 'no such path' } };
    return req.method === 'GET' ? status(req, segment, record) : notAllowed('GET');
  }

  function trigger(req: IncomingMessage, record: RecordedRequest): OrdinaryAnswer {
    const correlationId = checkHeaders(req);
    const body = parseJsonObject(record.body);
    const simulate = body['simulate'] === undefined ? {} : parseSimulate(body['simulate']);
    const own = builds.nextTriggerFault(correlationId, simulate);
    const queued = faults.take('trigger', correlationId);
    record.fault = queued === undefined ? own : queued;
    if (!takesEffect(record.fault)) return { status: 201, body: NOT_TAKEN };
    return { status: 201, body: { build_id: builds.make(correlationId, simulate).build_id } };
  }

  function status(req: IncomingMessage, segment: string, record: RecordedRequest): OrdinaryAnswer {
    const correlationId = checkHeaders(req);
    const own = builds.nextStatusFault(segment, correlationId);
    const queued = faults.take('status', correlationId);
    record.fault = queued === undefined ? own : queued;
    if (!takesEffect(record.fault)) return { status: 200, body: NOT_TAKEN };
    const body = builds.poll(segment, correlationId);
    return body === undefined ? { status: 404, body: { message: 'no such build' } } : { status: 200, body };
  }

  async function control(
    req: IncomingMessage,
    res: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    switch (`${req.method} ${path}`) {
      case 'GET /':
        return void res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(HELP);
      case 'PUT /_simulator/faults':
        try {
          faults.put(parseFaultsRequest(parseJsonObject(await text(req))));
        } catch (err) {
          if (!(err instanceof BadRequest)) throw err;
          return sendJson(res, 400, { message: err.message });
        }
        return void res.writeHead(204).end();
      case 'DELETE /_simulator/faults':
        faults.clear();
        return void res.writeHead(204).end();
      case 'GET /_simulator/requests':
        return sendJson(res, 200, records.list(query.get('correlation_id') ?? undefined));
      case 'DELETE /_simulator/requests':
        records.clear();
        return void res.writeHead(204).end();
      case 'GET /_simulator/builds':
        return sendJson(res, 200, builds.list());
      default:
        return sendJson(res, 404, { message: `no ${req.method} ${path} here; GET / lists what there is` });
    }
  }

  return {
    server,
    listen: async (port = 0, host = '127.0.0.1') => `http://${authorityOf(await listen(server, { host, port }))}`,
    close: () => close(server),
    requests: (correlationId) => records.list(correlationId),
    clearRequests: () => records.clear(),
    builds: () => builds.list(),
    putFaults: (request) => faults.put(parseFaultsRequest(request)),
    clearFaults: () => faults.clear(),
  };
}

/** The body of a success status whose fault has `takes_effect: false`. */
const NOT_TAKEN = { message: 'the request was not taken' };

function notAllowed(allow: string): OrdinaryAnswer {
  return { status: 405, headers: { allow }, body: { message: `only ${allow} is allowed here` } };
}

async function text(req: IncomingMessage): Promise<string> {
  let all = '';
  for await (const chunk of req.setEncoding('utf8')) all += chunk as string;
  return all;
}

function sendJson(res: ServerResponse, status: number, value: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  res.end(JSON.stringify(value));
}

async function close(server: http.Server): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
