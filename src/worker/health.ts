/** Health probes: whether the process is alive, and whether it is ready for builds. */
import { createServer, type ServerResponse } from 'node:http';
import { listen, type HostPort } from '../process/listen.ts';

/**
 * Answers `GET /livez` with 200 as long as the process can answer at all. It ignores the state of the servers that the
 * worker needs, because a restart would not help. `GET /readyz` answers 200, or 503 with the reason.
 *
 * @param whyNotReady returns `undefined` if the worker is ready
 * @returns the address that is listened on, and what closes the server
 * @throws if the address can't be listened on
 */
export async function startHealthServer(address: HostPort, whyNotReady: () => string | undefined) {
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
  return {
    ...(await listen(server, address)),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.writeHead(status).end(`${text}\n`);
}
