import { createServer } from 'node:net';

/**
 * Below the ephemeral range of the usual systems (from 32768 on Linux, 49152 on macOS). Temporal's dev server takes
 * ephemeral ports for its internal services, and could otherwise take a port just found free for its frontend.
 */
const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 28_000;

/** Returns a TCP port that is free on 127.0.0.1. Nothing reserves it, so bind it at once. */
export async function freePort(): Promise<number> {
  const count = HIGHEST_PORT - LOWEST_PORT + 1;
  // The search starts at a random port, so that test files that run at the same time don't all try the same ones.
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
