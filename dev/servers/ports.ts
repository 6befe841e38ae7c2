import { createServer } from 'node:net';

/**
 * All below the ephemeral range of any usual system (32768 on Linux, 49152 on macOS): Temporal's dev server takes ephemeral
 * ports for its inner services, and may take the very one just found free for it.
 */
const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 28_000;

/** A TCP port that is free on 127.0.0.1. Nothing holds it: use it at once. */
export async function freePort(): Promise<number> {
  const count = HIGHEST_PORT - LOWEST_PORT + 1;
  // A random start, so that test files that run at the same time don't all try the same ports.
  const start = Math.floor(Math.random() * count);
  for (let offset = 0; offset < count; offset++) {
    const port = LOWEST_PORT + ((start + offset) % count);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no port from ${LOWEST_PORT} to ${HIGHEST_PORT} is free on 127.0.0.1`);
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
