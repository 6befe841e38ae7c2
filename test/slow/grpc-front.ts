/** A gRPC proxy before a Temporal server without TLS or keys: it terminates TLS, requires an API key and refuses calls when told to. */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../../dev/servers/certificates.ts';

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const STATUS = { PERMISSION_DENIED: 7, UNIMPLEMENTED: 12 } as const;
export const DEADLINE_EXCEEDED = 4;

export interface GrpcFront {
  /** `127.0.0.1:PORT` */
  address: string;
  /** A call that arrived: its method, such as `AddSearchAttributes`, the metadata that Temporal Cloud reads, and its compression. */
  calls: {
    method: string;
    authorization: string | undefined;
    namespace: string | undefined;
    /** `grpc-encoding`, and `grpc-accept-encoding`: https://github.com/grpc/grpc/blob/master/doc/compression.md */
    encoding: string | undefined;
    accepted: string | undefined;
  }[];
  /** The gRPC status that answers a method instead of the server. */
  refused: Map<string, number>;
  stop(): Promise<void>;
}

/** @param apiKey the valid key; every other is answered as Temporal Cloud answers it */
export async function startGrpcFront(
  target: string,
  { server: certificate, apiKey }: { server: Certificate; apiKey: string },
): Promise<GrpcFront> {
  const behind = http2.connect(`http://${target}`);
  await once(behind, 'connect');
  behind.on('error', () => {});
  const calls: GrpcFront['calls'] = [];
  const refused = new Map<string, number>();
  const sessions = new Set<http2.ServerHttp2Session>();

  const server = http2.createSecureServer(certificate);
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const method = String(headers[':path']).split('/').at(-1) as string;
    const { authorization, 'temporal-namespace': namespace } = headers;
    calls.push({
      method,
      authorization,
      namespace: namespace?.toString(),
      encoding: headers['grpc-encoding']?.toString(),
      accepted: headers['grpc-accept-encoding']?.toString(),
    });
    const status = authorization === `Bearer ${apiKey}` ? refused.get(method) : STATUS.PERMISSION_DENIED;
    if (status !== undefined) {
      const details = { 'grpc-status': String(status), 'grpc-message': 'Request unauthorized.' };
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...details }, { endStream: true });
      return;
    }
    passOn(behind, stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    refused,
    stop: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
      behind.destroy();
    },
  };
}

function passOn(
  behind: http2.ClientHttp2Session,
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
): void {
  const own = Object.entries(headers).filter(
    ([name]) => !name.startsWith(':') || name === ':path' || name === ':method',
  );
  const request = behind.request(Object.fromEntries(own));
  request.on('error', () => stream.close());
  stream.on('close', () => request.close());
  let trailers: http2.OutgoingHttpHeaders = {};
  request.on('response', (answer) => {
    if (stream.destroyed) return;
    // A call that fails at once has its status in the headers and no trailers.
    const hasEnded = answer['grpc-status'] !== undefined;
    stream.respond({ ...answer }, hasEnded ? { endStream: true } : { waitForTrailers: true });
  });
  request.on('trailers', (given) => (trailers = given));
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.pipe(request).pipe(stream);
}
