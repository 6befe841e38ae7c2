/** What a platform asks a worker: whether the process lives, and whether it takes builds on. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Address {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

export interface HealthServer {
  /** As it was found, where port 0 was asked for. */
  host: string;
  port: number;
  close(): void;
}

/**
 * Answers `GET /livez` with 200 for as long as the process can answer at all, whatever state its servers are in: to be
 * restarted would not help it. `GET /readyz` is 200, or 503 with the reason.
 *
 * @param whyNotReady `undefined` where it is ready
 * @throws where the address can't be listened on
 */
export async function startHealthServer(
  address: Address,
  whyNotReady: () => string | undefined,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/livez' && path !== '/readyz') return answer(response, 404, 'there are /livez and /readyz');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return answer(response, 405, 'the method must be GET or HEAD');
    }
    const why = path === '/livez' ? undefined : whyNotReady();
    return why === undefined ? answer(response, 200, 'ok') : answer(response, 503, why);
  });
  await listen(server, address);
  const { address: host, port } = server.address() as AddressInfo;
  return {
    host,
    port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function listen(server: Server, { host, port }: Address): Promise<void> {
  const listening = once(server, 'listening');
  server.listen(port, host);
  await listening;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.writeHead(status).end(`${text}\n`);
}
