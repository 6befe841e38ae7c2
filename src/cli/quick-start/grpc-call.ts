/** One unary gRPC call over HTTP/2. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import {
  connect,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

export interface GrpcEndpoint {
  /** `http://host:port`, or `https:` for TLS. */
  url: string;
  tls: SecureClientSessionOptions;
  /** Headers of the call beside gRPC's own. */
  metadata: Record<string, string>;
}

const FRAME_HEADER_BYTES = 5;

export async function openSession({ url, tls }: GrpcEndpoint, timeoutMs: number): Promise<ClientHttp2Session> {
  const session = connect(url, tls);
  const timer = setTimeout(() => session.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
  try {
    await new Promise<void>((resolve, reject) => {
      session.once('connect', () => resolve());
      session.once('error', reject);
      session.once('close', () => reject(new Error('the connection was closed')));
    });
  } finally {
    clearTimeout(timer);
  }
  // What breaks later is told to the call that is under way.
  session.on('error', () => undefined);
  return session;
}

/**
 * @param method its full name: `/package.Service/Method`
 * @returns the answer's message
 * @throws Error where it is refused, or the answer breaks off or does not come in time: then it may have been done
 */
export async function call(
  session: ClientHttp2Session,
  { metadata }: GrpcEndpoint,
  method: string,
  request: Buffer,
  timeoutMs: number,
): Promise<Buffer> {
  const stream = session.request({
    ...metadata,
    ':method': 'POST',
    ':path': method,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${timeoutMs}m`,
  });
  let status: string | undefined;
  const takeStatus = (headers: IncomingHttpHeaders) => {
    status ??= headers['grpc-status'] as string | undefined;
  };
  // An answer that is nothing but a status has it among its headers.
  stream.on('response', takeStatus).on('trailers', takeStatus);
  stream.setTimeout(timeoutMs, () => stream.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  frame.writeUInt32BE(request.length, 1);
  stream.end(Buffer.concat([frame, request]));
  // Whoever reads it hears of it as well.
  stream.on('error', () => undefined);
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  if (status !== '0') throw new Error(status === undefined ? 'the answer broke off' : `gRPC status ${status}`);
  return Buffer.concat(chunks).subarray(FRAME_HEADER_BYTES);
}
