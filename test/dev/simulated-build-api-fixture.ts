/** Starts a simulated build API for each test, and sends requests to it. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { afterEach, beforeEach } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createSimulatedBuildApi,
  type Simulate,
  type SimulatedBuildApi,
} from '../../dev/simulated-build-api/server.ts';

/** The API of the current test. */
export let api: SimulatedBuildApi;
export let url: string;

export function useSimulatedBuildApi(): void {
  beforeEach(async () => {
    api = createSimulatedBuildApi();
    url = await api.listen(0, '127.0.0.1');
  });
  afterEach(() => api.close());
}

export function headersOf(
  correlationId: string,
  changed: Record<string, string | undefined> = {},
): Record<string, string> {
  const headers = {
    authorization: 'jwt',
    'encrypted-authorization': 'ciphertext',
    'content-type': 'application/json',
    referer: 'https://alb.example/proxy',
    'x-amzn-requestid': correlationId,
    ...changed,
  };
  return Object.fromEntries(Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

export function post(
  simulate?: Simulate | object,
  correlationId = 'request-1',
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${url}/build`, {
    method: 'POST',
    headers: headersOf(correlationId),
    body: JSON.stringify({ build_type: 'iam_role', simulate }),
    redirect: 'manual',
    signal: signal ?? null,
  });
}

export function poll(buildId: string, correlationId = 'request-1', signal?: AbortSignal): Promise<Response> {
  const headers = headersOf(correlationId);
  return fetch(`${url}/build/${encodeURIComponent(buildId)}`, { headers, redirect: 'manual', signal: signal ?? null });
}

export async function json(answer: Promise<Response>): Promise<{ status: number; body: Record<string, unknown> }> {
  const res = await answer;
  assert.equal(res.headers.get('content-type'), 'application/json');
  return { status: res.status, body: (await res.json()) as Record<string, unknown> };
}

export function putFaults(faults: unknown): Promise<Response> {
  return fetch(`${url}/_simulator/faults`, { method: 'PUT', body: JSON.stringify(faults) });
}

/** Sends a POST over a plain socket. @returns what was received until the connection ended, and how it ended */
export async function rawPost(
  simulate: Simulate,
): Promise<{ received: string; err: NodeJS.ErrnoException | undefined }> {
  const body = JSON.stringify({ simulate });
  const head = Object.entries({ host: 'x', ...headersOf('raw'), 'content-length': String(Buffer.byteLength(body)) });
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`POST /build HTTP/1.1\r\n${head.map((pair) => pair.join(': ')).join('\r\n')}\r\n\r\n${body}`);
  let received = '';
  let err: NodeJS.ErrnoException | undefined;
  socket.on('data', (chunk) => (received += chunk.toString())).on('error', (error) => (err = error));
  await new Promise((resolve) => socket.once('close', resolve));
  return { received, err };
}

export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 200, 'it never came to hold');
    await delay(10);
  }
}
