export interface Address {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

/**
 * Listens on an address that was set, or else on its default, and where that is taken, as by another worker on the same
 * machine, on a free port.
 */
export async function listenOrElse<T>(
  address: Address,
  isSet: boolean,
  listen: (address: Address) => Promise<T> | T,
): Promise<T> {
  try {
    return await listen(address);
  } catch (err) {
    if (isSet || !isTaken(err)) throw err;
    return await listen({ ...address, port: 0 });
  }
}

/** Node.js says so by a code, Temporal's native half in words. */
function isTaken(err: unknown): boolean {
  return (err as NodeJS.ErrnoException).code === 'EADDRINUSE' || /address already in use/i.test(String(err));
}
