/** A simulated build API for each test, and our client for it. */
import assert from 'node:assert/strict';
import http, { type RequestListener } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, type TestContext } from 'node:test';
import { createSimulatedBuildApi, type SimulatedBuildApi } from '../../dev/simulated-build-api/server.ts';
import type { BuildApiTarget } from '../../src/domain/role-build-input.ts';
import { BuildApi } from '../../src/build-api/client.ts';
import { BuildApiError } from '../../src/build-api/error.ts';
import { sampleInput } from '../domain/sample-input.ts';

export const CREDENTIAL = 'eyJhbGciOiJSU0EtT0FFUCJ9.c3/VjcmV0+==.signature';

/** The API of the running test. */
export let api: SimulatedBuildApi;
export let url: string;
/** The connections that it has accepted. */
export let connections: number;

export function useSimulatedBuildApi(): void {
  beforeEach(async () => {
    api = createSimulatedBuildApi();
    connections = 0;
    api.server.on('connection', () => (connections += 1));
    url = await api.listen();
  });
  afterEach(() => api.close());
}

export function clientOf({
  origins = [url],
  timeoutMs = 30_000,
  idempotencyHeader,
  proxy,
}: { origins?: string[]; timeoutMs?: number; idempotencyHeader?: string; proxy?: string } = {}): BuildApi {
  return new BuildApi({
    albFqdn: 'https://alb.example.com',
    allowedOrigins: origins,
    timeoutMs,
    idempotencyHeader,
    proxy,
  });
}

export function request(at = url): BuildApiTarget {
  return { url: at, encrypted_jwt: CREDENTIAL, correlation_id: 'request-1' };
}

export const never = new AbortController().signal;

export function post(
  client = clientOf(),
  at = url,
  body: unknown = sampleInput().build_body,
): Promise<{ build_id: string }> {
  return client.triggerBuild(request(at), body);
}

export function get(
  client = clientOf(),
  at = url,
  buildId = 'b',
  signal = never,
): ReturnType<BuildApi['getBuildStatus']> {
  return client.getBuildStatus(request(at), buildId, signal);
}

/** Both calls, and where each takes its fault. */
export const CALLS = [
  { name: 'POST', step: 'trigger', call: (client?: BuildApi, at?: string): Promise<unknown> => post(client, at) },
  { name: 'GET', step: 'status', call: (client?: BuildApi, at?: string): Promise<unknown> => get(client, at) },
] as const;

export async function failureOf(call: Promise<unknown>): Promise<BuildApiError> {
  const outcome = await call.then(
    (answer) => assert.fail(`answered ${JSON.stringify(answer)}`),
    (err: unknown) => err,
  );
  assert.ok(outcome instanceof BuildApiError, String(outcome));
  return outcome;
}

/** Starts a server for what the simulated one doesn't do. @returns its origin */
export async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Like {@link serve}, on raw TCP. @returns host and port */
export async function serveRaw(t: TestContext, onConnection: (socket: net.Socket) => void): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    t.after(() => void socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
