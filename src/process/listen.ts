import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

export interface HostPort {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

/** As programs in Go take them too. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Listens on an address. `0.0.0.0` and `::` are every address of the machine, of IPv4 and of IPv6, whichever of the two it has.
 *
 * @returns the address as it was found: by numbers, and with the port that was taken
 * @throws if it can't be listened on
 */
export async function listen(server: Server, { host, port }: HostPort): Promise<HostPort> {
  // Without a host, Node.js takes `::` with IPv4 within it, and `0.0.0.0` if the machine has no IPv6.
  server.listen(port, EVERY_ADDRESS.has(host) ? undefined : host);
  await once(server, 'listening');
  const { address, port: taken } = server.address() as AddressInfo;
  return { host: address, port: taken };
}

/** As in a URL: an address of IPv6 is in brackets. */
export function authorityOf({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
