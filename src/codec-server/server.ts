/**
 * Temporal's remote codec protocol for the Web UI: `POST /decode` takes stored payloads and returns what people may see
 * of them. The server only decodes. A payload that it encoded would be bound to no workflow, and people who may only
 * read builds could make inputs that workers accept. So the server needs no permission to encrypt.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { Logger } from 'pino';
import { PayloadUnreadableError } from '../encryption/unreadable.ts';
import { forPeople } from './redact.ts';
import { isLoopback } from '../config/codec-server.ts';
import { HttpError, type CheckToken } from './tokens.ts';

export interface CodecServerOptions {
  codec: PayloadCodec;
  allowedOrigins: readonly string[];
  /** Without it the server answers everyone who reaches it, so it must listen on loopback only. */
  checkToken?: CheckToken | undefined;
  logger: Logger;
}

/** Room for more than one payload of Temporal's largest size, 2 MiB, in Base64. */
const MAX_BODY_BYTES = 4 * 2 ** 20;
/** A body of that size holds a million empty payloads, which take seconds. The Web UI sends a page of events. */
const MAX_PAYLOADS = 20_000;
/** From a request's first byte to its last. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Temporal allows no longer name of a namespace. */
const MAX_NAMESPACE_CHARACTERS = 255;

const { Payloads } = proto.temporal.api.common.v1;

export function createCodecServer(options: CodecServerOptions): Server {
  return createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 5_000 },
    (request, response) => void answer(request, response, options),
  );
}

async function answer(request: IncomingMessage, response: ServerResponse, options: CodecServerOptions): Promise<void> {
  const startedAt = performance.now();
  const path = (request.url ?? '').split('?')[0] ?? '';
  const note: Record<string, unknown> = { method: request.method, path: path.slice(0, 100) };
  try {
    await route(request, response, path, options, note);
  } catch (err) {
    if (response.destroyed || request.errored) return options.logger.debug(note, 'the client went away');
    const { status, message } = asHttpError(err);
    note['error'] = message;
    if (status >= 500) note['err'] = (err as Error).cause ?? err;
    send(response, status, { error: message });
    // Discards the rest of the body. Closing the connection could lose the answer on its way.
    request.resume();
  }
  const { statusCode: status } = response;
  const level = status >= 500 ? 'error' : status >= 400 ? 'warn' : path === '/decode' ? 'info' : 'debug';
  options.logger[level]({ ...note, status, ms: Math.round(performance.now() - startedAt) }, 'answered');
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  options: CodecServerOptions,
  note: Record<string, unknown>,
): Promise<void> {
  const { method, headers } = request;
  if (path === '/health') {
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed(response, 'GET, HEAD');
    return send(response, 200, { status: 'ok' });
  }
  allowOrigin(request, response, options);
  if (path === '/encode') throw new HttpError(404, 'this codec server only decodes');
  if (path !== '/decode') throw new HttpError(404, 'there is only POST /decode');
  if (method === 'OPTIONS') return void response.writeHead(204).end();
  if (method !== 'POST') throw notAllowed(response, 'POST, OPTIONS');
  if (!/^application\/json *(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new HttpError(415, 'the content type must be application/json');
  }
  const namespace = headers['x-namespace'];
  if (typeof namespace !== 'string' || namespace === '' || namespace.length > MAX_NAMESPACE_CHARACTERS) {
    throw new HttpError(400, 'the header X-Namespace must name the namespace that the payloads are from');
  }
  note['namespace'] = namespace;
  const who = await options.checkToken?.(headers.authorization, namespace);
  if (who !== undefined) note['who'] = who;

  const stored = payloadsOf(await bodyOf(request));
  note['payloads'] = stored.length;
  // The protocol does not name the workflow, so only the namespace of a payload can be checked.
  const decoded = await options.codec.decode(stored, { type: 'activity', namespace, isLocal: false });
  const shown = decoded.map((payload, i) => forPeople(payload, stored[i] as Payload));
  send(response, 200, Payloads.toObject(Payloads.create({ payloads: shown }), { bytes: String }));
}

/**
 * Refuses a page whose origin is not listed, before anything is read; programs other than browsers send no origin.
 * Without tokens, the host must be loopback too: otherwise a page could point its own domain name at this server.
 *
 * @throws HttpError
 */
function allowOrigin({ headers }: IncomingMessage, response: ServerResponse, options: CodecServerOptions): void {
  const { origin, host = '' } = headers;
  response.setHeader('vary', 'Origin');
  if (origin !== undefined) {
    if (!options.allowedOrigins.includes(origin)) throw new HttpError(403, 'pages of this origin are not allowed');
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-methods', 'POST');
    // The headers that the Web UI sends.
    response.setHeader(
      'access-control-allow-headers',
      'Authorization, Authorization-Extras, Content-Type, X-Namespace',
    );
    response.setHeader('access-control-max-age', '600');
  }
  if (options.checkToken === undefined && !isLoopback(host.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))) {
    throw new HttpError(403, 'without tokens, the codec server answers to names of loopback only');
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const tooLarge = new HttpError(413, `the body must be at most ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function payloadsOf(body: string): Payload[] {
  try {
    const { payloads } = JSON.parse(body) as { payloads?: unknown };
    if (!Array.isArray(payloads)) throw new Error('no list');
    if (payloads.length > MAX_PAYLOADS) throw new HttpError(413, `there must be at most ${MAX_PAYLOADS} payloads`);
    const read = Payloads.fromObject({ payloads }).payloads;
    // `fromObject` leaves an array in place of Base64 unchanged. A payload without a value has no data.
    const values = read.flatMap((payload) => [
      ...Object.values(payload.metadata ?? {}),
      ...(Object.hasOwn(payload, 'data') ? [payload.data] : []),
    ]);
    if (!values.every((value) => value instanceof Uint8Array)) throw new Error('not Base64');
    return read;
  } catch (err) {
    if (err instanceof HttpError) throw err;
    throw new HttpError(400, 'the body must be JSON such as {"payloads": [{"metadata": {…}, "data": "…"}]}');
  }
}

function notAllowed(response: ServerResponse, methods: string): HttpError {
  response.setHeader('allow', methods);
  return new HttpError(405, `the method must be one of ${methods}`);
}

function asHttpError(err: unknown): HttpError {
  if (err instanceof HttpError) return err;
  if (err instanceof PayloadUnreadableError) return new HttpError(422, err.message);
  return new HttpError(500, 'internal error of the codec server; see its log');
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed || response.headersSent) return;
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.writeHead(status).end(JSON.stringify(body));
}
