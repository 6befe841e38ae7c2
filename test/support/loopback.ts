import { networkInterfaces } from 'node:os';

/** The loopback addresses of this machine as in a URL: of IPv4, of IPv6 or of both. */
export const LOOPBACK: readonly string[] = Object.values(networkInterfaces())
  .flat()
  .flatMap((one) => (one?.address === '::1' ? ['[::1]'] : one?.address === '127.0.0.1' ? ['127.0.0.1'] : []));
