import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

export interface HostPort {
  host: string;
  /** 0 takes a free port. */
  port: number;
}

/** Hosts that mean every address; programs in Go read them the same way. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Listens on an address. `0.0.0.0` and `::` are every address of the machine, both IPv4 and IPv6 as far as it has them.
 *
 * @returns the numeric address, and the port that was taken
 * @throws if it can't be listened on
 */
export async function listen(server: Server, { host, port }: HostPort): Promise<HostPort> {
  // Without a host, Node.js listens on `::`, which includes IPv4, or on `0.0.0.0` if the machine has no IPv6.
  server.listen(port, EVERY_ADDRESS.has(host) ? undefined : host);
  await once(server, 'listening');
  const { address, port: taken } = server.address() as AddressInfo;
  return { host: address, port: taken };
}

/** Formats an address as in a URL: an IPv6 address is in brackets. */
export function authorityOf({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
