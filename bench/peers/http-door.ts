/** Starts builds of peers without a server: a POST takes a JSON array of inputs, answered once all have begun. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';

/**
 * Listens on a free port of loopback, and prints its URL with the state that a running worker prints.
 *
 * @param begin resolves once the build has begun
 * @param abandon ends all running builds
 */
export async function openHttpDoor(
  begin: (input: RoleBuildInput) => Promise<void>,
  abandon: () => Promise<void>,
): Promise<void> {
  const answer = async (req: http.IncomingMessage): Promise<number> => {
    if (req.method === 'DELETE') await abandon();
    else await Promise.all((JSON.parse(await text(req)) as RoleBuildInput[]).map(begin));
    return 202;
  };
  const server = http.createServer((req, res) => {
    answer(req).then(
      (status) => res.writeHead(status).end(),
      (err: unknown) => res.writeHead(500).end(String(err)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}`, state: 'RUNNING' })}\n`);
}
